// Systolic array with its controller in which one operand stays (columns, from the top), the other
// streams (lines, from the left) and psums move down the rows. Weight-stationary; SWAPPED:
// input-stationary.
//
// The edges read memories by coordinates and take the data in the same cycle: left_data[i] is
// operand (left_line[i], left_k[i]), top_data[j] operand (top_column[j], top_k[j]), read_psum[j] the
// stored psum (read_line[j], read_column[j]); write_psum[j] is to be stored where write_valid[j] is.
module accelsim_systolic #(
  parameter int ROWS = 4,
  parameter int COLS = 4,
  parameter int OPERAND = 32,
  parameter int PSUM = 32,
  parameter int INDEX = 16,
  parameter int MULTIPLY_CYCLES = 1,
  parameter int MULTIPLY_INTERVAL = 1,
  parameter int ADD_CYCLES = 1,
  parameter int ADD_INTERVAL = 1,
  parameter bit SWAPPED = 0
) (
  input  logic                    clk,
  input  logic                    rst,
  input  logic                    start,
  input  logic                    resume,
  input  logic [INDEX-1:0]        lines,
  input  logic [INDEX-1:0]        columns,
  input  logic [INDEX-1:0]        depth,
  output logic                    busy,
  output logic [ROWS*INDEX-1:0]   left_line,
  output logic [ROWS*INDEX-1:0]   left_k,
  input  logic [ROWS*OPERAND-1:0] left_data,
  output logic [COLS*INDEX-1:0]   top_column,
  output logic [COLS*INDEX-1:0]   top_k,
  input  logic [COLS*OPERAND-1:0] top_data,
  output logic [COLS*INDEX-1:0]   read_line,
  output logic [COLS*INDEX-1:0]   read_column,
  input  logic [COLS*PSUM-1:0]    read_psum,
  output logic [COLS-1:0]         write_valid,
  output logic [COLS*INDEX-1:0]   write_line,
  output logic [COLS*INDEX-1:0]   write_column,
  output logic [COLS*PSUM-1:0]    write_psum
);
  localparam int INTERVAL = MULTIPLY_INTERVAL > ADD_INTERVAL ? MULTIPLY_INTERVAL : ADD_INTERVAL;

  logic load, drain;
  logic [INDEX-1:0] row_first, col_first, row_last, col_last, step, index;
  logic [ROWS-1:0] row_used;
  logic [COLS-1:0] col_used;
  logic [1:0] token, psum_in_token;
  logic [INDEX-1:0] psum_index;
  logic [2*ROWS-1:0] left_tokens;
  logic [2*COLS-1:0] psum_tokens;
  logic [2*ROWS*COLS-1:0] sum_tokens;
  logic [PSUM*ROWS*COLS-1:0] sums;

  accelsim_controller #(
    .ROWS(ROWS), .COLS(COLS), .INDEX(INDEX), .INTERVAL(INTERVAL), .STATIONARY(1)
  ) controller (
    .clk(clk), .rst(rst), .start(start), .resume(resume), .lines(lines), .columns(columns),
    .depth(depth), .finishes(&sum_tokens[2*(row_last*COLS + col_last) +: 2]), .busy(busy), .load(load),
    .drain(drain), .row_first(row_first), .col_first(col_first), .row_used(row_used),
    .col_used(col_used), .row_last(row_last), .col_last(col_last), .step(step), .token(token),
    .index(index)
  );

  accelsim_lanes #(.LANES(ROWS), .HOP(ADD_CYCLES), .INDEX(INDEX)) left_lanes (
    .clk(clk), .rst(rst), .used(row_used), .token(token), .index(index), .tokens(left_tokens),
    .indices(left_line)
  );

  // The psum from above meets the product.
  accelsim_pipe #(.WIDTH(INDEX), .CYCLES(MULTIPLY_CYCLES)) psum_entry (
    .clk(clk), .rst(rst), .in_token(token), .in(index), .out_token(psum_in_token),
    .out(psum_index), .next_token(), .next()
  );

  accelsim_lanes #(.LANES(COLS), .INDEX(INDEX)) psum_lanes (
    .clk(clk), .rst(rst), .used(col_used), .token(psum_in_token), .index(psum_index),
    .tokens(psum_tokens), .indices(read_line)
  );

  genvar i, j;
  generate
    for (i = 0; i < ROWS; i = i + 1) begin : g_row
      assign left_k[INDEX*i +: INDEX] = row_first + INDEX'(i);
      for (j = 0; j < COLS; j = j + 1) begin : g_pe
        logic [1:0] left_token, right_token;
        logic [OPERAND-1:0] left, right, above, stationary;
        logic [PSUM-1:0] psum, psum_above;

        if (j == 0) begin : g_left_edge
          assign left_token = left_tokens[2*i +: 2];
          assign left = left_data[OPERAND*i +: OPERAND];
        end else begin : g_left
          assign left_token = g_row[i].g_pe[j-1].right_token & {2{col_used[j]}};
          assign left = g_row[i].g_pe[j-1].right;
        end
        if (i == 0) begin : g_top_edge
          assign above = top_data[OPERAND*j +: OPERAND];
          assign psum_above = resume || row_first != '0 ? read_psum[PSUM*j +: PSUM] : '0;
        end else begin : g_top
          assign above = g_row[i-1].g_pe[j].stationary;
          assign psum_above = g_row[i-1].g_pe[j].psum;
        end

        accelsim_pe_ws #(
          .OPERAND(OPERAND), .PSUM(PSUM), .MULTIPLY_CYCLES(MULTIPLY_CYCLES),
          .MULTIPLY_INTERVAL(MULTIPLY_INTERVAL), .ADD_CYCLES(ADD_CYCLES),
          .ADD_INTERVAL(ADD_INTERVAL), .SWAPPED(SWAPPED)
        ) pe (
          .clk(clk), .rst(rst), .left_token(left_token), .left(left), .right_token(right_token),
          .right(right), .load(load), .above(above), .stationary(stationary),
          .psum_above(psum_above), .psum(psum), .sum_token(sum_tokens[2*(i*COLS + j) +: 2]),
          .next_psum(sums[PSUM*(i*COLS + j) +: PSUM])
        );
      end
    end

    for (j = 0; j < COLS; j = j + 1) begin : g_col
      // Sums of the last row in use are stored instead of going on, in the order of the lines.
      logic [INDEX-1:0] line;
      wire [1:0] leaving = sum_tokens[2*(row_last*COLS + j) +: 2];
      always_ff @(posedge clk) begin
        if (rst || &leaving) line <= '0;
        else if (leaving[0]) line <= line + 1'b1;
      end
      assign top_column[INDEX*j +: INDEX] = col_first + INDEX'(j);
      assign top_k[INDEX*j +: INDEX] = row_first + row_last - step;
      assign read_column[INDEX*j +: INDEX] = col_first + INDEX'(j);
      assign write_valid[j] = leaving[0];
      assign write_line[INDEX*j +: INDEX] = line;
      assign write_column[INDEX*j +: INDEX] = col_first + INDEX'(j);
      assign write_psum[PSUM*j +: PSUM] = sums[PSUM*(row_last*COLS + j) +: PSUM];
    end
  endgenerate
endmodule
