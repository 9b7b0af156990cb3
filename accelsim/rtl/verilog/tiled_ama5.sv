// The float multipliers of 4x4 AMA5 tiles, by the closed form of the tiles' sum:
// S = (A & 11..1) * W + 2 * (A & ee..e) * (W & 88..8) of significands of BITS bits. The fraction is
// what follows the leading one of S, truncated; the exponent one above the sum of the operands', one
// more where S has a bit more and CARRY is set. Magnitudes below ZERO_BELOW count as +0, as do
// products whose biased exponents add up to less than LEAST_SUM.
module accelsim_tiled_ama5 #(
  parameter int BITS = 24,
  parameter bit CARRY = 0,
  parameter int LEAST_SUM = 127,
  parameter logic [30:0] ZERO_BELOW = 31'h03aa2425
) (
  input  logic [31:0] a,
  input  logic [31:0] w,
  output logic [31:0] p
);
  localparam int DROPPED = 24 - BITS;
  localparam logic [23:0] ONES = 24'hffffff >> DROPPED;

  assign p = product(a, w);

  function automatic logic [31:0] product(input logic [31:0] a, input logic [31:0] w);
    logic [23:0] x, y;
    logic [48:0] total;
    logic [22:0] fraction;
    logic signed [10:0] sum, exponent;
    logic sign, over, infinite, nan;

    sign = a[31] ^ w[31];
    infinite = &a[30:23] || &w[30:23];
    nan = (&a[30:23] && (|a[22:0] || ~|w[30:0])) || (&w[30:23] && (|w[22:0] || ~|a[30:0]));
    x = {1'b1, a[22:0]} >> DROPPED;
    y = {1'b1, w[22:0]} >> DROPPED;
    total = 49'(x & 24'h111111 & ONES) * 49'(y)
      + ((49'(x & 24'heeeeee & ONES) * 49'(y & 24'h888888 & ONES)) << 1);
    over = total[2*BITS];
    sum = $signed({3'b0, a[30:23]}) + $signed({3'b0, w[30:23]});
    exponent = sum - 11'sd126 + 11'(CARRY & over);
    fraction = 23'(over ? total >> (BITS + 1) : total >> BITS) & 23'(ONES >> 1);
    fraction = fraction << DROPPED;
    product = {sign, exponent[7:0], fraction};
    if (exponent > 11'sd254) product = {sign, 8'hff, 23'b0};
    if (sum < $signed(11'(LEAST_SUM)) || exponent < 11'sd1) product = '0;
    if (a[30:0] < ZERO_BELOW || w[30:0] < ZERO_BELOW) product = '0;
    if (infinite) product = {sign, 8'hff, 23'b0};
    if (nan) product = 32'h7fc00000;
  endfunction
endmodule
