// A PE in which an operand stays. The other is there with its token, and stays until the next one:
// what enters in cycle t is in the neighbor's input from t + 1 on, its product is behind the
// multiplier in t + MULTIPLY_CYCLES, when the psum from above must be there; the psum with it is in
// the register in ADD_CYCLES more; next_psum and sum_token are a cycle ahead of it. SWAPPED: the operand that stays is the activation.
module accelsim_pe_ws #(
  parameter int OPERAND = 32,
  parameter int PSUM = 32,
  parameter int MULTIPLY_CYCLES = 1,
  parameter int MULTIPLY_INTERVAL = 1,
  parameter int ADD_CYCLES = 1,
  parameter int ADD_INTERVAL = 1,
  parameter bit SWAPPED = 0
) (
  input  logic               clk,
  input  logic               rst,
  input  logic [1:0]         left_token,
  input  logic [OPERAND-1:0] left,
  output logic [1:0]         right_token,
  output logic [OPERAND-1:0] right,
  input  logic               load,
  input  logic [OPERAND-1:0] above,
  output logic [OPERAND-1:0] stationary,
  input  logic [PSUM-1:0]    psum_above,
  output logic [PSUM-1:0]    psum,
  output logic [1:0]         sum_token,
  output logic [PSUM-1:0]    next_psum
);
  // One copy for all PEs: Verilator builds in less time.
  /*verilator no_inline_module*/
  logic [PSUM-1:0] product, behind, sum;
  logic [1:0] product_token;

  accelsim_multiplier multiplier (
    .a(SWAPPED ? stationary : left), .w(SWAPPED ? left : stationary), .p(product)
  );

  accelsim_pipe #(
    .WIDTH(PSUM), .CYCLES(MULTIPLY_CYCLES), .INTERVAL(MULTIPLY_INTERVAL)
  ) multiply (
    .clk(clk), .rst(rst), .in_token(left_token), .in(product),
    .out_token(product_token), .out(behind), .next_token(), .next()
  );

  accelsim_adder adder (.psum(psum_above), .product(behind), .sum(sum));

  accelsim_pipe #(.WIDTH(PSUM), .CYCLES(ADD_CYCLES), .INTERVAL(ADD_INTERVAL)) add (
    .clk(clk), .rst(rst), .in_token(product_token), .in(sum),
    .out_token(), .out(psum), .next_token(sum_token), .next(next_psum)
  );

  always_ff @(posedge clk) begin
    if (rst) right_token <= '0;
    else right_token <= left_token;
    if (left_token[0]) right <= left;
    if (load) stationary <= above;
  end
endmodule
