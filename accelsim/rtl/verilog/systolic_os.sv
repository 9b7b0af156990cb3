// Output-stationary systolic array with its controller: activations (lines) from the left, weights
// (columns) from the top, psums shifted in at the top and out of the last row in use.
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
  localparam int INTERVAL = MULTIPLY_INTERVAL > ADD_CYCLES ? MULTIPLY_INTERVAL : ADD_CYCLES;

  logic load, drain;
  logic [INDEX-1:0] row_first, col_first, row_last, col_last, step, index;
  logic [ROWS-1:0] row_used;
  logic [COLS-1:0] col_used;
  logic [1:0] token;
  logic [2*ROWS-1:0] left_tokens;
  logic [2*COLS-1:0] top_tokens;
  logic [ROWS*COLS-1:0] finishing;
  logic [PSUM*ROWS*COLS-1:0] psums;

  accelsim_controller #(
    .ROWS(ROWS), .COLS(COLS), .INDEX(INDEX), .INTERVAL(INTERVAL), .STATIONARY(0)
  ) controller (
    .clk(clk), .rst(rst), .start(start), .resume(resume), .lines(lines), .columns(columns),
    .depth(depth), .finishes(finishing[row_last * COLS + col_last]), .busy(busy), .load(load),
    .drain(drain), .row_first(row_first), .col_first(col_first), .row_used(row_used),
    .col_used(col_used), .row_last(row_last), .col_last(col_last), .step(step), .token(token),
    .index(index)
  );

  accelsim_lanes #(.LANES(ROWS), .INDEX(INDEX)) left_lanes (
    .clk(clk), .rst(rst), .used(row_used), .token(token), .index(index), .tokens(left_tokens),
    .indices(left_k)
  );

  accelsim_lanes #(.LANES(COLS), .INDEX(INDEX)) top_lanes (
    .clk(clk), .rst(rst), .used(col_used), .token(token), .index(index), .tokens(top_tokens),
    .indices(top_k)
  );

  genvar i, j;
  generate
    for (i = 0; i < ROWS; i = i + 1) begin : g_row
      assign left_line[INDEX*i +: INDEX] = row_first + INDEX'(i);
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
          assign top_valid = top_tokens[2*j];
          assign top = top_data[OPERAND*j +: OPERAND];
          // Zeros follow the psums that leave: the next ones start there.
          assign psum_above = load ? read_psum[PSUM*j +: PSUM] : '0;
        end else begin : g_top
          assign top_valid = g_row[i-1].g_pe[j].bottom_valid & row_used[i];
          assign top = g_row[i-1].g_pe[j].bottom;
          assign psum_above = g_row[i-1].g_pe[j].psum;
        end

        accelsim_pe_os #(
          .OPERAND(OPERAND), .PSUM(PSUM), .MULTIPLY_CYCLES(MULTIPLY_CYCLES),
          .MULTIPLY_INTERVAL(MULTIPLY_INTERVAL), .ADD_CYCLES(ADD_CYCLES)
        ) pe (
          .clk(clk), .rst(rst), .left_token(left_token), .left(left), .right_token(right_token),
          .right(right), .top_valid(top_valid), .top(top), .bottom_valid(bottom_valid),
          .bottom(bottom), .shift((load | drain) & row_used[i]), .psum_above(psum_above),
          .psum(psum), .finishes(finishing[i*COLS + j])
        );
        assign psums[PSUM*(i*COLS + j) +: PSUM] = psum;
      end
    end

    for (j = 0; j < COLS; j = j + 1) begin : g_col
      assign top_column[INDEX*j +: INDEX] = col_first + INDEX'(j);
      assign read_line[INDEX*j +: INDEX] = row_first + row_last - step;
      assign read_column[INDEX*j +: INDEX] = col_first + INDEX'(j);
      assign write_valid[j] = drain & col_used[j];
      assign write_line[INDEX*j +: INDEX] = row_first + row_last - step;
      assign write_column[INDEX*j +: INDEX] = col_first + INDEX'(j);
      assign write_psum[PSUM*j +: PSUM] = psums[PSUM*(row_last*COLS + j) +: PSUM];
    end
  endgenerate
endmodule
