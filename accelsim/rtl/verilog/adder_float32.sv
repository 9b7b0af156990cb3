// IEEE 754 binary32 sum, rounded to nearest even, subnormals included. Of equal operands of opposite
// signs it is +0; a NaN is always 7fc00000.
module accelsim_adder (
  input  logic [31:0] psum,
  input  logic [31:0] product,
  output logic [31:0] sum
);
  assign sum = added(psum, product);

  function automatic logic [31:0] added(input logic [31:0] x, input logic [31:0] y);
    logic [31:0] greater, lesser, rounded;
    logic [9:0] exponent, lesser_exponent, distance, zeros, shift;
    logic [26:0] aligned, kept;
    logic [27:0] total;
    logic subtract, sticky, up;
    integer i;

    {greater, lesser} = x[30:0] >= y[30:0] ? {x, y} : {y, x};
    subtract = greater[31] ^ lesser[31];
    // A subnormal has the exponent of the least normal number, and no implicit one.
    exponent = {2'b0, greater[30:23]} | {9'b0, ~|greater[30:23]};
    lesser_exponent = {2'b0, lesser[30:23]} | {9'b0, ~|lesser[30:23]};
    distance = exponent - lesser_exponent;
    // Guard, round and sticky bit below the significand.
    aligned = {|lesser[30:23], lesser[22:0], 3'b0};
    kept = distance > 10'd26 ? '0 : aligned >> distance;
    sticky = distance > 10'd26 ? |aligned : (kept << distance) != aligned;
    kept[0] = kept[0] | sticky;
    total = {1'b0, |greater[30:23], greater[22:0], 3'b0};
    total = subtract ? total - {1'b0, kept} : total + {1'b0, kept};
    zeros = 10'd27;
    for (i = 0; i < 27; i = i + 1) if (total[i]) zeros = 10'd26 - 10'(i);
    if (total[27]) begin
      total = {1'b0, total[27:2], total[1] | total[0]};
      exponent = exponent + 10'd1;
      shift = '0;
    end else begin
      shift = zeros < exponent ? zeros : exponent - 10'd1;
      total = total << shift;
      exponent = exponent - shift;
    end
    up = total[2] & (total[1] | total[0] | total[3]);
    rounded = {greater[31], total[26] ? exponent[7:0] : 8'd0, total[25:3]} + {31'b0, up};
    added = rounded;
    if (exponent > 10'd254) added = {greater[31], 8'hff, 23'b0};
    // An exact zero, of which two negative ones are negative.
    if (total == '0) added = {greater[31] & lesser[31], 31'b0};
    if (&greater[30:23]) added = greater;
    if (&greater[30:23] && (|greater[22:0] || (&lesser[30:23] && subtract))) added = 32'h7fc00000;
  endfunction
endmodule
