// Passes over the folds of a product (lines x depth) times (depth x columns), one after the other:
//
//   psums stay (STATIONARY = 0)            an operand stays (STATIONARY = 1)
//     for row_first in lines by ROWS         for col_first in columns by COLS
//       for col_first in columns by COLS       for row_first in depth by ROWS
//         load psums, if they go on              load the operand
//         stream depth                           stream lines
//         drain psums
//
// Load and drain take a cycle a used row. Streaming gives an index every INTERVAL cycles and ends
// when the array says that the last psum of the pass is about to be in its register (finishes).
// busy is high for all cycles of all passes and for no other.
module accelsim_controller #(
  parameter int ROWS = 4,
  parameter int COLS = 4,
  parameter int INDEX = 16,
  parameter int INTERVAL = 1,
  parameter bit STATIONARY = 0
) (
  input  logic             clk,
  input  logic             rst,
  input  logic             start,
  input  logic             resume,
  input  logic [INDEX-1:0] lines,
  input  logic [INDEX-1:0] columns,
  input  logic [INDEX-1:0] depth,
  input  logic             finishes,
  output logic             busy,
  output logic             load,
  output logic             drain,
  output logic [INDEX-1:0] row_first,
  output logic [INDEX-1:0] col_first,
  output logic [ROWS-1:0]  row_used,
  output logic [COLS-1:0]  col_used,
  output logic [INDEX-1:0] row_last,
  output logic [INDEX-1:0] col_last,
  output logic [INDEX-1:0] step,
  output logic [1:0]       token,
  output logic [INDEX-1:0] index
);
  localparam logic [1:0] IDLE = 2'd0, LOAD = 2'd1, STREAM = 2'd2, DRAIN = 2'd3;

  logic [1:0] state;
  logic issuing;
  logic [INDEX-1:0] tick;

  wire [INDEX-1:0] rows_total = STATIONARY ? depth : lines;
  wire [INDEX-1:0] stream_total = STATIONARY ? lines : depth;
  wire [INDEX-1:0] rows_left = rows_total - row_first;
  wire [INDEX-1:0] cols_left = columns - col_first;
  wire rows_end = rows_left <= INDEX'(ROWS);
  wire cols_end = cols_left <= INDEX'(COLS);
  wire inner_end = STATIONARY ? rows_end : cols_end;
  wire last_index = index == stream_total - 1'b1;
  wire [1:0] first_state = (STATIONARY || resume) ? LOAD : STREAM;
  wire issues = state == STREAM && issuing && tick == '0;
  wire stepped = step == row_last;
  // The last cycle of a pass.
  wire passed = STATIONARY ? (state == STREAM && finishes) : (state == DRAIN && stepped);

  assign busy = state != IDLE;
  assign load = state == LOAD;
  assign drain = state == DRAIN;
  assign row_last = (rows_end ? rows_left : INDEX'(ROWS)) - 1'b1;
  assign col_last = (cols_end ? cols_left : INDEX'(COLS)) - 1'b1;
  assign token = {issues && last_index, issues};

  genvar i;
  generate
    for (i = 0; i < ROWS; i = i + 1) begin : g_row
      assign row_used[i] = INDEX'(i) <= row_last;
    end
    for (i = 0; i < COLS; i = i + 1) begin : g_col
      assign col_used[i] = INDEX'(i) <= col_last;
    end
  endgenerate

  always_ff @(posedge clk) begin
    if (rst) begin
      state <= IDLE;
      row_first <= '0;
      col_first <= '0;
      step <= '0;
      tick <= '0;
      index <= '0;
      issuing <= 1'b0;
    end else begin
      if (state == LOAD || state == DRAIN) step <= stepped ? '0 : step + 1'b1;
      if (state == STREAM && issuing) begin
        tick <= tick == INDEX'(INTERVAL - 1) ? '0 : tick + 1'b1;
        if (tick == INDEX'(INTERVAL - 1)) begin
          if (last_index) issuing <= 1'b0;
          else index <= index + 1'b1;
        end
      end
      if (state == LOAD && stepped) state <= STREAM;
      if (state == STREAM && finishes && !STATIONARY) state <= DRAIN;
      if ((state == IDLE && start) || passed) begin
        state <= first_state;
        tick <= '0;
        index <= '0;
        issuing <= 1'b1;
      end
      if (passed) begin
        if (rows_end && cols_end) begin
          state <= IDLE;
          row_first <= '0;
          col_first <= '0;
        end else if (STATIONARY) begin
          row_first <= inner_end ? '0 : row_first + INDEX'(ROWS);
          if (inner_end) col_first <= col_first + INDEX'(COLS);
        end else begin
          col_first <= inner_end ? '0 : col_first + INDEX'(COLS);
          if (inner_end) row_first <= row_first + INDEX'(ROWS);
        end
      end
    end
  end
endmodule
