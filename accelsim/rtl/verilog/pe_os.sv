// A PE whose psum stays. Operands are there with their tokens, and stay until the next ones: the
// pair that enters in cycle t is in the neighbors' inputs from t + 1 on, its product is behind the
// multiplier in t + MULTIPLY_CYCLES, the psum with it in the register in ADD_CYCLES more.
module accelsim_pe_os #(
  parameter int OPERAND = 32,
  parameter int PSUM = 32,
  parameter int MULTIPLY_CYCLES = 1,
  parameter int MULTIPLY_INTERVAL = 1,
  parameter int ADD_CYCLES = 1
) (
  input  logic               clk,
  input  logic               rst,
  input  logic [1:0]         left_token,
  input  logic [OPERAND-1:0] left,
  output logic [1:0]         right_token,
  output logic [OPERAND-1:0] right,
  input  logic               top_valid,
  input  logic [OPERAND-1:0] top,
  output logic               bottom_valid,
  output logic [OPERAND-1:0] bottom,
  input  logic               shift,
  input  logic [PSUM-1:0]    psum_above,
  output logic [PSUM-1:0]    psum,
  output logic [1:0]         sum_token
);
  // One copy for all PEs: Verilator builds in less time.
  /*verilator no_inline_module*/
  logic [PSUM-1:0] product, behind, sum;
  logic [1:0] product_token;

  accelsim_multiplier multiplier (.a(left), .w(top), .p(product));

  accelsim_pipe #(
    .WIDTH(PSUM), .CYCLES(MULTIPLY_CYCLES), .INTERVAL(MULTIPLY_INTERVAL)
  ) multiply (
    .clk(clk), .rst(rst), .in_token(left_token), .in(product),
    .out_token(product_token), .out(behind), .next_token(), .next()
  );

  accelsim_adder adder (.psum(psum), .product(behind), .sum(sum));

  // The addition takes ADD_CYCLES, the last of which loads the register.
  accelsim_tokens #(.CYCLES(ADD_CYCLES - 1)) add (
    .clk(clk), .rst(rst), .in(product_token), .entering(), .out(sum_token)
  );

  always_ff @(posedge clk) begin
    if (rst) begin
      right_token <= '0;
      bottom_valid <= 1'b0;
      psum <= '0;
    end else begin
      right_token <= left_token;
      bottom_valid <= top_valid;
      if (shift) psum <= psum_above;
      else if (sum_token[0]) psum <= sum;
    end
    if (left_token[0]) right <= left;
    if (top_valid) bottom <= top;
  end
endmodule
