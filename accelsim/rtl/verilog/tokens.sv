// A token {last, valid} on its way: valid for one cycle beside each operand, last with the last one
// of a pass. entering has what is about to be in each place, so that the value of a place can be
// loaded with the token; place 0 is filled from in. With CYCLES = 0 out is in.
module accelsim_tokens #(
  parameter int CYCLES = 1
) (
  input  logic                clk,
  input  logic                rst,
  input  logic [1:0]          in,
  output logic [2*CYCLES+1:0] entering,
  output logic [1:0]          out
);
  generate
    if (CYCLES == 0) begin : g_none
      assign entering = in;
      assign out = in;
    end else begin : g_some
      logic [2*CYCLES-1:0] places;
      assign entering = {places, in};
      assign out = places[2*CYCLES-1 -: 2];
      always_ff @(posedge clk) begin
        if (rst) places <= '0;
        else places <= entering[2*CYCLES-1:0];
      end
    end
  endgenerate
endmodule
