#version 300 es
// The shape of a flight by its kind, drawn by its distance from the edge; sharp at any scale.
precision mediump float;
precision highp int;
in vec2 v_at;
in vec2 v_upright;
flat in vec2 v_way;
flat in uint v_kind;
flat in uint v_hue;
flat in uint v_attempt;
flat in uint v_lost;
flat in uint v_faded;
flat in float v_half;
flat in ivec4 v_letters;
flat in int v_length;
uniform vec3 u_hues[8];
uniform vec3 u_theme[4];
uniform float u_scale;
uniform sampler2D u_digits;
out vec4 o_colour;

float segment(vec2 p, vec2 a, vec2 b) {
  vec2 d = b - a;
  return length(p - a - d * clamp(dot(p - a, d) / dot(d, d), 0.0, 1.0));
}

float cover(float distance) { return clamp(0.5 - distance * u_scale, 0.0, 1.0); }

vec4 over(vec4 below, vec3 colour, float amount) {
  return vec4(colour * amount + below.rgb * (1.0 - amount), amount + below.a * (1.0 - amount));
}

void main() {
  vec3 fill = v_hue == 255u ? u_theme[0] : u_hues[v_hue & 7u];
  vec4 colour = vec4(0.0);
  vec2 p = v_at;
  if (v_lost == 1u) {
    float d = min(segment(p, vec2(-4.5), vec2(4.5)), segment(p, vec2(4.5, -4.5), vec2(-4.5, 4.5)));
    colour = over(colour, u_theme[3], cover(d - 1.1));
  } else if (v_half > 0.0) {
    vec2 q = vec2(max(abs(p.x) - (v_half - 7.0), 0.0), p.y);
    bool copy = v_kind == 2u;
    if (copy) colour = over(colour, u_theme[0], cover(segment(p, -v_way * (v_half + 9.0), vec2(0.0)) - 0.6));
    colour = over(colour, fill, cover(length(q) - 7.0) * (copy ? 0.4 : 1.0));
    float column = p.x / 6.4 + float(v_length) * 0.5;
    int place = int(floor(column));
    if (place >= 0 && place < v_length && abs(p.y) < 6.0) {
      int letter = v_letters[place];
      vec2 uv = vec2((float(letter) + fract(column)) / 11.0, (p.y + 6.0) / 12.0);
      colour = over(colour, copy ? u_theme[1] : vec3(0.05, 0.066, 0.086), texture(u_digits, uv).a);
    }
  } else if (v_kind <= 2u) {
    if (v_kind == 2u) colour = over(colour, u_theme[0], cover(segment(p, vec2(-11.0, 0.0), vec2(-2.0, 0.0)) - 0.6));
    colour = over(colour, fill, cover(length(p) - (v_kind == 2u ? 3.2 : 4.5)) * (v_kind == 2u ? 0.5 : 1.0));
  } else if (v_kind == 3u || v_kind == 9u) {
    float d = min(segment(p, vec2(-2.5, -3.8), vec2(2.5, 0.0)), segment(p, vec2(2.5, 0.0), vec2(-2.5, 3.8)));
    vec3 tint = v_hue == 255u ? u_theme[1] : mix(fill, u_theme[1], 0.45);
    colour = over(colour, tint, cover(d - 0.9));
  } else if (v_kind == 4u) {
    vec2 q = abs(p) - 4.0;
    float box = abs(max(q.x, q.y));
    if (v_hue != 255u) colour = over(colour, fill, cover(max(q.x, q.y)) * 0.5);
    float d = min(box, segment(p, vec2(-4.0, 4.0), vec2(4.0, -4.0)));
    colour = over(colour, u_theme[2], cover(d - 0.9));
  } else {
    float half_length = v_kind == 6u ? 2.5 : 4.0;
    float d = segment(p, vec2(-half_length, 0.0), vec2(half_length, 0.0));
    colour = over(colour, u_theme[0], cover(d - (v_kind == 7u ? 1.3 : 0.8)) * (v_kind == 7u ? 1.0 : 0.8));
  }
  if (v_attempt > 0u && v_lost == 0u && v_half == 0.0) colour = over(colour, u_theme[1], cover(abs(length(p) - 8.0) - 0.8));
  if (v_attempt > 0u && v_half > 0.0) {
    vec2 q = vec2(max(abs(p.x) - (v_half - 7.0), 0.0), p.y);
    colour = over(colour, u_theme[1], cover(abs(length(q) - 9.0) - 0.8));
  }
  if (v_attempt > 1u && v_lost == 0u) {
    vec2 d = (v_upright - vec2(max(v_half, 5.0) + 4.0, -15.0)) / vec2(6.4, 11.0);
    if (d.x > 0.0 && d.x < 1.0 && d.y > 0.0 && d.y < 1.0) {
      colour = over(colour, u_theme[1], texture(u_digits, vec2((float(v_attempt) + d.x) / 11.0, d.y)).a);
    }
  }
  o_colour = colour * (v_faded == 1u ? 0.25 : 1.0);
}
