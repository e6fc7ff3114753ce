#version 300 es
// Messages a solid band, copies a hollow one, answers chevrons, the rest dashes; as strong as it is dense.
precision highp float;
in float v_along;
in float v_across;
in float v_density;
flat in float v_half;
flat in uint v_kind;
flat in uint v_hue;
uniform vec3 u_hues[8];
uniform vec3 u_theme[4];
uniform float u_scale;
out vec4 o_colour;

float cover(float distance) { return clamp(0.5 - distance * u_scale, 0.0, 1.0); }

void main() {
  vec3 colour = v_hue == 255u ? u_theme[0] : u_hues[v_hue & 7u];
  float across = abs(v_across);
  float amount = cover(across - v_half);
  if (v_kind == 1u) amount *= 0.33 + 0.67 * cover(abs(across - v_half + 0.5) - 0.5);
  if (v_kind == 2u) amount *= cover(abs(mod(v_along + across, 9.0) - 4.5) - 0.8);
  if (v_kind == 3u) amount *= cover(abs(mod(v_along, 7.0) - 3.5) - 2.0);
  amount *= 0.15 + 0.6 * v_density;
  o_colour = vec4(colour * amount, amount);
}
