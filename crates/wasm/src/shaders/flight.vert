#version 300 es
// One quad a flight. Its place is mixed from the curve's ends by the time; times are from the playhead.
layout(location = 0) in vec4 a_from_by;
layout(location = 1) in vec4 a_to_times;
layout(location = 2) in uint a_look;
layout(location = 3) in float a_stopped;
uniform vec4 u_view;
out vec2 v_at;
out vec2 v_upright;
flat out vec2 v_way;
flat out uint v_kind;
flat out uint v_hue;
flat out uint v_attempt;
flat out uint v_lost;
flat out uint v_faded;
flat out float v_half;
flat out ivec4 v_letters;
flat out int v_length;

vec2 along(float t) {
  float r = 1.0 - t;
  return r * r * a_from_by.xy + 2.0 * r * t * a_from_by.zw + t * t * a_to_times.xy;
}

void main() {
  vec2 corner = vec2(float(gl_VertexID & 1) * 2.0 - 1.0, float(gl_VertexID >> 1) * 2.0 - 1.0);
  v_kind = a_look & 15u;
  v_hue = (a_look >> 4) & 255u;
  v_attempt = (a_look >> 12) & 7u;
  v_lost = (a_look >> 15) & 1u;
  v_faded = a_look >> 31;
  uint count = (a_look >> 16) & 32767u;
  int shown = int(count);
  bool thousands = shown >= 1000;
  if (thousands) shown /= 1000;
  int digits = shown >= 100 ? 3 : (shown >= 10 ? 2 : 1);
  v_letters = ivec4(10);
  for (int i = digits - 1; i >= 0; i--) { v_letters[i] = shown % 10; shown /= 10; }
  v_length = digits + (thousands ? 1 : 0);
  bool capsule = v_kind <= 2u && count > 1u && v_lost == 0u;
  v_half = capsule ? 4.0 + 3.2 * float(v_length) : 0.0;
  float span = max(a_to_times.w - a_to_times.z, 0.000001);
  float t = v_lost == 1u ? a_stopped : clamp((-a_to_times.z) / span, 0.0, 1.0);
  vec2 here = along(t);
  vec2 ahead = along(min(t + 0.02, 1.0)) - along(max(t - 0.02, 0.0));
  vec2 way = length(ahead) > 0.0001 ? normalize(ahead) : vec2(1.0, 0.0);
  bool turned = !capsule && v_lost == 0u && v_kind != 4u;
  bool tail = capsule && v_kind == 2u;
  float side = max(12.0, v_half + (tail ? 10.0 : 4.0)) + (v_attempt > 1u ? 10.0 : 0.0);
  vec2 reach = vec2(side, v_attempt > 1u ? side : (tail ? v_half + 10.0 : 12.0));
  v_at = corner * reach;
  vec2 offset = turned ? v_at.x * way + v_at.y * vec2(-way.y, way.x) : v_at;
  v_upright = offset;
  v_way = way;
  vec2 place = (here + offset - u_view.xy) / u_view.zw * 2.0 - 1.0;
  gl_Position = vec4(place.x, -place.y, 0.0, 1.0);
}
