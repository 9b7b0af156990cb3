// Self-checking test bench: one product out of hex files in the working folder, its psums and cycles
// compared with the expected ones. Prints a line, PASS or FAIL first, with the measured cycles;
// with +trace before it STORE line column cycle for each psum, at the end of the cycle.
//
//   gemm.hex        lines, columns, depth, resume (1: sums go on from psums.hex), expected cycles
//   left.hex        operands from the left, (lines, depth) in C order
//   top.hex         operands from the top, (columns, depth)
//   psums.hex       stored psums, (lines, columns); read where sums go on from them
//   expected.hex    psums afterwards, (lines, columns)
`timescale 1ns / 1ps
module bench;
`include "parameters.vh"

  reg clk, rst, start;
  reg [31:0] gemm [0:4];
  reg [OPERAND-1:0] left_words [0:WORDS-1];
  reg [OPERAND-1:0] top_words [0:WORDS-1];
  reg [PSUM-1:0] psums [0:WORDS-1];
  reg [PSUM-1:0] expected [0:WORDS-1];
  reg written [0:WORDS-1];
  integer cycles, wrong, waited, word, j;

  wire busy;
  wire [ROWS*INDEX-1:0] left_line, left_k;
  wire [ROWS*OPERAND-1:0] left_data;
  wire [COLS*INDEX-1:0] top_column, top_k, read_line, read_column, write_line, write_column;
  wire [COLS*OPERAND-1:0] top_data;
  wire [COLS*PSUM-1:0] read_psum, write_psum;
  wire [COLS-1:0] write_valid;

  accelsim_systolic dut (
    .clk(clk), .rst(rst), .start(start), .resume(gemm[3][0]), .lines(gemm[0][INDEX-1:0]),
    .columns(gemm[1][INDEX-1:0]), .depth(gemm[2][INDEX-1:0]), .busy(busy), .left_line(left_line),
    .left_k(left_k), .left_data(left_data), .top_column(top_column), .top_k(top_k),
    .top_data(top_data), .read_line(read_line), .read_column(read_column), .read_psum(read_psum),
    .write_valid(write_valid), .write_line(write_line), .write_column(write_column),
    .write_psum(write_psum)
  );

  // Memories that are read in the cycle of the address. Lanes that a pass does not use may ask for
  // words outside of them.
  genvar g;
  generate
    for (g = 0; g < ROWS; g = g + 1) begin : g_left
      wire [31:0] at = left_line[INDEX*g +: INDEX] * gemm[2] + left_k[INDEX*g +: INDEX];
      assign left_data[OPERAND*g +: OPERAND] = left_words[at % WORDS];
    end
    for (g = 0; g < COLS; g = g + 1) begin : g_top
      wire [31:0] at = top_column[INDEX*g +: INDEX] * gemm[2] + top_k[INDEX*g +: INDEX];
      wire [31:0] psum_at = read_line[INDEX*g +: INDEX] * gemm[1] + read_column[INDEX*g +: INDEX];
      assign top_data[OPERAND*g +: OPERAND] = top_words[at % WORDS];
      assign read_psum[PSUM*g +: PSUM] = psums[psum_at % WORDS];
    end
  endgenerate

  // Two NaNs are the same psum, whatever their bits.
  function same;
    input [PSUM-1:0] x;
    input [PSUM-1:0] y;
    same = x === y || (FLOAT != 0 && (x & ~SIGN) > INFINITY && (y & ~SIGN) > INFINITY);
  endfunction

  always #1 clk = ~clk;

  always @(posedge clk) begin
    if (busy && !rst) cycles = cycles + 1;
    for (j = 0; j < COLS; j = j + 1)
      if (write_valid[j] && !rst) begin
        word = write_line[INDEX*j +: INDEX] * gemm[1] + write_column[INDEX*j +: INDEX];
        if ($test$plusargs("trace"))
          $display("STORE %0d %0d %0d", write_line[INDEX*j +: INDEX],
                   write_column[INDEX*j +: INDEX], cycles - 1);
        if (word < WORDS) begin
          psums[word] <= write_psum[PSUM*j +: PSUM];
          written[word] <= 1'b1;
        end else wrong = wrong + 1;
      end
  end

  initial begin
    clk = 1'b0;
    rst = 1'b1;
    start = 1'b0;
    cycles = 0;
    wrong = 0;
    $readmemh("gemm.hex", gemm);
    $readmemh("left.hex", left_words, 0, gemm[0] * gemm[2] - 1);
    $readmemh("top.hex", top_words, 0, gemm[1] * gemm[2] - 1);
    $readmemh("psums.hex", psums, 0, gemm[0] * gemm[1] - 1);
    $readmemh("expected.hex", expected, 0, gemm[0] * gemm[1] - 1);
    for (word = 0; word < WORDS; word = word + 1) written[word] = 1'b0;
    repeat (2) @(negedge clk);
    rst = 1'b0;
    start = 1'b1;
    @(negedge clk) start = 1'b0;
    waited = 0;
    while (busy && waited < 2 * gemm[4] + 1000) begin
      @(negedge clk);
      waited = waited + 1;
    end
    for (word = 0; word < gemm[0] * gemm[1]; word = word + 1)
      if (!written[word] || !same(psums[word], expected[word])) begin
        if (wrong < 4)
          $display("psum %0d: got %h, expected %h", word, psums[word], expected[word]);
        wrong = wrong + 1;
      end
    if (busy)
      $display("FAIL still busy after %0d cycles, expected %0d", cycles, gemm[4]);
    else if (wrong != 0 || cycles != gemm[4])
      $display("FAIL cycles %0d, expected %0d; %0d of %0d psums wrong", cycles, gemm[4], wrong,
               gemm[0] * gemm[1]);
    else
      $display("PASS cycles %0d, psums %0d", cycles, gemm[0] * gemm[1]);
    $finish;
  end
endmodule
