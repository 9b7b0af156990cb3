// IEEE 754 binary32 product, rounded to nearest even, subnormals included; a NaN is 7fc00000.
module exact_fp32 (
  input  logic [31:0] a,
  input  logic [31:0] w,
  output logic [31:0] p
);
  assign p = product(a, w);

  function automatic logic [31:0] product(input logic [31:0] a, input logic [31:0] w);
    logic sign, nan, infinite, up;
    logic [47:0] total, kept;
    logic [9:0] zeros;
    logic signed [10:0] exponent;
    logic [10:0] below;
    integer i;

    sign = a[31] ^ w[31];
    infinite = &a[30:23] || &w[30:23];
    nan = (&a[30:23] && (|a[22:0] || ~|w[30:0])) || (&w[30:23] && (|w[22:0] || ~|a[30:0]));
    total = 48'({|a[30:23], a[22:0]}) * 48'({|w[30:23], w[22:0]});
    zeros = 10'd47;
    for (i = 0; i < 48; i = i + 1) if (total[i]) zeros = 10'd47 - 10'(i);
    total = total << zeros;
    // Of the leading one at bit 47; a subnormal operand has the exponent 1.
    exponent = $signed({3'b0, a[30:23]}) + $signed({3'b0, w[30:23]}) + 11'(~|a[30:23])
      + 11'(~|w[30:23]) - 11'sd126 - $signed({1'b0, zeros});
    below = exponent < 11'sd1 ? 11'(11'sd1 - exponent) : 11'd0;
    if (below > 11'd49) below = 11'd49;
    kept = total >> below;
    kept[0] = kept[0] | ((kept << below) != total);
    up = kept[23] & (|kept[22:0] | kept[24]);
    product = {sign, kept[47] ? exponent[7:0] : 8'd0, kept[46:24]} + {31'b0, up};
    if (exponent > 11'sd254 && |total) product = {sign, 8'hff, 23'b0};
    if (~|total) product = {sign, 31'b0};
    if (infinite) product = {sign, 8'hff, 23'b0};
    if (nan) product = 32'h7fc00000;
  endfunction
endmodule
