// Systolic array with its controller: lines of one operand from the left, columns of the other from
// the top. STATIONARY = 0: both stream, psums stay, are shifted in at the top and out of the last
// row in use. STATIONARY = 1: columns are shifted in and stay, psums move down the rows; SWAPPED:
// the columns are activations.
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
  parameter bit STATIONARY = 0,
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
  // An addition to a psum that stays waits for the one before it.
  localparam int ADDITION = STATIONARY ? ADD_INTERVAL : ADD_CYCLES;
  localparam int INTERVAL = MULTIPLY_INTERVAL > ADDITION ? MULTIPLY_INTERVAL : ADDITION;

  logic load, drain;
  logic [INDEX-1:0] row_first, col_first, row_last, col_last, step, index, col_index;
  logic [ROWS-1:0] row_used;
  logic [COLS-1:0] col_used;
  logic [1:0] token, col_token;
  logic [2*ROWS-1:0] left_tokens;
  logic [2*COLS-1:0] col_tokens;
  logic [ROWS*INDEX-1:0] left_indices;
  logic [COLS*INDEX-1:0] col_indices;
  // Of every PE: a psum's last addition of the pass is done, or (psums that move) a psum is.
  logic [2*ROWS*COLS-1:0] sum_tokens;
  logic [PSUM*ROWS*COLS-1:0] sums;

  // Shifts in and out take the last row in use first.
  wire [INDEX-1:0] shifted_row = row_first + row_last - step;
  wire reads = STATIONARY ? (resume || row_first != '0) : load;

  accelsim_controller #(
    .ROWS(ROWS), .COLS(COLS), .INDEX(INDEX), .INTERVAL(INTERVAL), .STATIONARY(STATIONARY)
  ) controller (
    .clk(clk), .rst(rst), .start(start), .resume(resume), .lines(lines), .columns(columns),
    .depth(depth), .finishes(&sum_tokens[2*(row_last*COLS + col_last) +: 2]), .busy(busy),
    .load(load), .drain(drain), .row_first(row_first), .col_first(col_first), .row_used(row_used),
    .col_used(col_used), .row_last(row_last), .col_last(col_last), .step(step), .token(token),
    .index(index)
  );

  accelsim_lanes #(.LANES(ROWS), .HOP(STATIONARY ? ADD_CYCLES : 1), .INDEX(INDEX)) left_lanes (
    .clk(clk), .rst(rst), .used(row_used), .token(token), .index(index), .tokens(left_tokens),
    .indices(left_indices)
  );

  // What streams from the top: operands, or psums, each of which meets its product.
  accelsim_pipe #(.WIDTH(INDEX), .CYCLES(STATIONARY ? MULTIPLY_CYCLES : 0)) col_entry (
    .clk(clk), .rst(rst), .in_token(token), .in(index), .out_token(col_token), .out(col_index),
    .next_token(), .next()
  );

  accelsim_lanes #(.LANES(COLS), .INDEX(INDEX)) col_lanes (
    .clk(clk), .rst(rst), .used(col_used), .token(col_token), .index(col_index),
    .tokens(col_tokens), .indices(col_indices)
  );

  genvar i, j;
  generate
    for (i = 0; i < ROWS; i = i + 1) begin : g_row
      wire [INDEX-1:0] row = row_first + INDEX'(i);
      wire [INDEX-1:0] at = left_indices[INDEX*i +: INDEX];
      assign left_line[INDEX*i +: INDEX] = STATIONARY ? at : row;
      assign left_k[INDEX*i +: INDEX] = STATIONARY ? row : at;

      for (j = 0; j < COLS; j = j + 1) begin : g_pe
        logic [1:0] left_token, right_token;
        logic top_valid, bottom_valid;
        logic [OPERAND-1:0] left, right, top, bottom;
        logic [PSUM-1:0] psum, psum_above;

        if (j == 0) begin : g_left_edge
          assign left_token = left_tokens[2*i +: 2];
          assign left = left_data[OPERAND*i +: OPERAND];
        end else begin : g_left
          assign left_token = g_row[i].g_pe[j-1].right_token & {2{col_used[j]}};
          assign left = g_row[i].g_pe[j-1].right;
        end
        if (i == 0) begin : g_top_edge
          assign top_valid = col_tokens[2*j];
          assign top = top_data[OPERAND*j +: OPERAND];
          // Zeros follow psums that are shifted out: the next ones start there.
          assign psum_above = reads ? read_psum[PSUM*j +: PSUM] : '0;
        end else begin : g_top
          assign top_valid = g_row[i-1].g_pe[j].bottom_valid & row_used[i];
          assign top = g_row[i-1].g_pe[j].bottom;
          assign psum_above = g_row[i-1].g_pe[j].psum;
        end

        if (STATIONARY) begin : g_ws
          assign bottom_valid = 1'b0;
          accelsim_pe_ws #(
            .OPERAND(OPERAND), .PSUM(PSUM), .MULTIPLY_CYCLES(MULTIPLY_CYCLES),
            .MULTIPLY_INTERVAL(MULTIPLY_INTERVAL), .ADD_CYCLES(ADD_CYCLES),
            .ADD_INTERVAL(ADD_INTERVAL), .SWAPPED(SWAPPED)
          ) pe (
            .clk(clk), .rst(rst), .left_token(left_token), .left(left), .right_token(right_token),
            .right(right), .load(load), .above(top), .stationary(bottom), .psum_above(psum_above),
            .psum(psum), .sum_token(sum_tokens[2*(i*COLS + j) +: 2]),
            .next_psum(sums[PSUM*(i*COLS + j) +: PSUM])
          );
        end else begin : g_os
          assign sums[PSUM*(i*COLS + j) +: PSUM] = psum;
          accelsim_pe_os #(
            .OPERAND(OPERAND), .PSUM(PSUM), .MULTIPLY_CYCLES(MULTIPLY_CYCLES),
            .MULTIPLY_INTERVAL(MULTIPLY_INTERVAL), .ADD_CYCLES(ADD_CYCLES)
          ) pe (
            .clk(clk), .rst(rst), .left_token(left_token), .left(left), .right_token(right_token),
            .right(right), .top_valid(top_valid), .top(top), .bottom_valid(bottom_valid),
            .bottom(bottom), .shift((load | drain) & row_used[i]), .psum_above(psum_above),
            .psum(psum), .sum_token(sum_tokens[2*(i*COLS + j) +: 2])
          );
        end
      end
    end

    for (j = 0; j < COLS; j = j + 1) begin : g_col
      wire [INDEX-1:0] column = col_first + INDEX'(j);
      wire [INDEX-1:0] at = col_indices[INDEX*j +: INDEX];
      // Sums that move leave the last row in use in the order of the lines.
      wire [1:0] leaving = sum_tokens[2*(row_last*COLS + j) +: 2];
      logic [INDEX-1:0] line;
      always_ff @(posedge clk) begin
        if (rst || &leaving) line <= '0;
        else if (leaving[0]) line <= line + 1'b1;
      end
      assign top_column[INDEX*j +: INDEX] = column;
      assign top_k[INDEX*j +: INDEX] = STATIONARY ? shifted_row : at;
      assign read_line[INDEX*j +: INDEX] = STATIONARY ? at : shifted_row;
      assign read_column[INDEX*j +: INDEX] = column;
      assign write_valid[j] = STATIONARY ? leaving[0] : drain & col_used[j];
      assign write_line[INDEX*j +: INDEX] = STATIONARY ? line : shifted_row;
      assign write_column[INDEX*j +: INDEX] = column;
      assign write_psum[PSUM*j +: PSUM] = sums[PSUM*(row_last*COLS + j) +: PSUM];
    end
  endgenerate
endmodule
