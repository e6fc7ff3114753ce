#version 300 es
// A band along the curve: two corners at each end of its sixteen pieces.
layout(location = 0) in vec4 a_from_by;
layout(location = 1) in vec3 a_to_half;
layout(location = 2) in uint a_look;
layout(location = 3) in uvec4 a_density;
uniform vec4 u_view;
out float v_along;
out float v_across;
out float v_density;
flat out float v_half;
flat out uint v_kind;
flat out uint v_hue;

vec2 along(float t) {
  float r = 1.0 - t;
  return r * r * a_from_by.xy + 2.0 * r * t * a_from_by.zw + t * t * a_to_half.xy;
}

float density(int bin) {
  int place = clamp(bin, 0, 15);
  return float((a_density[place >> 2] >> uint(8 * (place & 3))) & 255u) / 255.0;
}

void main() {
  int piece = gl_VertexID >> 1;
  float t = float(piece) / 16.0;
  vec2 ahead = along(min(t + 0.02, 1.0)) - along(max(t - 0.02, 0.0));
  vec2 way = length(ahead) > 0.0001 ? normalize(ahead) : vec2(1.0, 0.0);
  v_kind = a_look & 15u;
  v_hue = (a_look >> 4) & 255u;
  v_half = v_kind == 2u ? max(a_to_half.z, 3.0) : (v_kind == 1u ? a_to_half.z + 1.0 : a_to_half.z);
  v_across = float((gl_VertexID & 1) * 2 - 1) * (v_half + 1.0);
  v_density = (density(piece - 1) + density(piece)) * 0.5;
  float chord = distance(a_from_by.xy, a_to_half.xy);
  float legs = distance(a_from_by.xy, a_from_by.zw) + distance(a_from_by.zw, a_to_half.xy);
  v_along = t * (chord + legs) * 0.5;
  vec2 place = (along(t) + vec2(-way.y, way.x) * v_across - u_view.xy) / u_view.zw * 2.0 - 1.0;
  gl_Position = vec4(place.x, -place.y, 0.0, 1.0);
}
