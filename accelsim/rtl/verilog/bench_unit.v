// Self-checking test bench: products of the pairs in pairs.hex (activation, weight), compared with
// products.hex. Prints one line, PASS or FAIL first.
`timescale 1ns / 1ps
module bench;
`include "parameters.vh"

  reg [OPERAND-1:0] pairs [0:2*PAIRS-1];
  reg [PRODUCT-1:0] products [0:PAIRS-1];
  reg [OPERAND-1:0] a, w;
  wire [PRODUCT-1:0] p;
  integer i, wrong;

  `UNIT unit (.a(a), .w(w), .p(p));

  // Two NaNs are the same product, whatever their bits.
  function same;
    input [PRODUCT-1:0] x;
    input [PRODUCT-1:0] y;
    same = x === y || (FLOAT != 0 && (x & ~SIGN) > INFINITY && (y & ~SIGN) > INFINITY);
  endfunction

  initial begin
    wrong = 0;
    $readmemh("pairs.hex", pairs);
    $readmemh("products.hex", products);
    for (i = 0; i < PAIRS; i = i + 1) begin
      a = pairs[2*i];
      w = pairs[2*i+1];
      #1;
      if (!same(p, products[i])) begin
        if (wrong < 4) $display("%h * %h: got %h, expected %h", a, w, p, products[i]);
        wrong = wrong + 1;
      end
    end
    if (wrong != 0) $display("FAIL %0d of %0d products wrong", wrong, PAIRS);
    else $display("PASS products %0d", PAIRS);
    $finish;
  end
endmodule
