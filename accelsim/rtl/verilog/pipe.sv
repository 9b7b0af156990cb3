// A value that arrives CYCLES after it was given. Registers load with the token only: a value in
// front of one must stay for INTERVAL cycles, and does, as the one behind it comes no earlier.
// INTERVAL = 1 is a pipeline of CYCLES registers. INTERVAL = CYCLES has one register, and the logic
// in front of it takes CYCLES cycles (a multicycle path). Synthesis may move logic over registers.
// next is what out will be in the next cycle, where there is a register.
module accelsim_pipe #(
  parameter int WIDTH = 32,
  parameter int CYCLES = 1,
  parameter int INTERVAL = 1
) (
  input  logic             clk,
  input  logic             rst,
  input  logic [1:0]       in_token,
  input  logic [WIDTH-1:0] in,
  output logic [1:0]       out_token,
  output logic [WIDTH-1:0] out,
  output logic [1:0]       next_token,
  output logic [WIDTH-1:0] next
);
  logic [2*CYCLES+1:0] entering;

  accelsim_tokens #(.CYCLES(CYCLES)) tokens (
    .clk(clk), .rst(rst), .in(in_token), .entering(entering), .out(out_token)
  );

  generate
    if (CYCLES == 0) begin : g_none
      assign out = in;
      assign next_token = '0;
      assign next = '0;
    end else begin : g_some
      localparam int STAGES = (CYCLES + INTERVAL - 1) / INTERVAL;
      genvar s;
      for (s = 0; s < STAGES; s = s + 1) begin : g_stage
        localparam int PLACE = ((s + 1) * INTERVAL < CYCLES ? (s + 1) * INTERVAL : CYCLES) - 1;
        logic [WIDTH-1:0] value;
        logic [WIDTH-1:0] previous;
        if (s == 0) assign previous = in;
        else assign previous = g_stage[s-1].value;
        always_ff @(posedge clk) if (entering[2*PLACE]) value <= previous;
      end
      assign out = g_stage[STAGES-1].value;
      assign next_token = entering[2*CYCLES-1 -: 2];
      assign next = g_stage[STAGES-1].previous;
    end
  endgenerate
endmodule
