// The skew of an edge: lane i gets token and index HOP cycles after lane i - 1. Lanes that a pass
// does not use get none. An index stays until the next.
module accelsim_lanes #(
  parameter int LANES = 4,
  parameter int HOP = 1,
  parameter int INDEX = 16
) (
  input  logic                   clk,
  input  logic                   rst,
  input  logic [LANES-1:0]       used,
  input  logic [1:0]             token,
  input  logic [INDEX-1:0]       index,
  output logic [2*LANES-1:0]     tokens,
  output logic [INDEX*LANES-1:0] indices
);
  genvar i;
  generate
    for (i = 0; i < LANES; i = i + 1) begin : g_lane
      logic [1:0] here;
      logic [INDEX-1:0] at;
      if (i == 0) begin : g_first
        assign here = token;
        assign at = index;
      end else begin : g_next
        accelsim_pipe #(.WIDTH(INDEX), .CYCLES(HOP)) hop (
          .clk(clk), .rst(rst), .in_token(g_lane[i-1].here & {2{used[i]}}), .in(g_lane[i-1].at),
          .out_token(here), .out(at), .next_token(), .next()
        );
      end
      assign tokens[2*i +: 2] = here;
      assign indices[INDEX*i +: INDEX] = at;
    end
  endgenerate
endmodule
