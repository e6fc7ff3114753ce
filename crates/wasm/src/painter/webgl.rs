//! Flights with WebGL2: an instanced draw call for streams and one for single flights. The rows are uploaded as they lie
//! in memory.

use super::theme;
use scene::{BINS, FlightRow, Flying, HUES, Rect, StreamRow};
use wasm_bindgen::JsCast;
use web_sys::{
    CanvasRenderingContext2d, HtmlCanvasElement, WebGl2RenderingContext as Gl, WebGlBuffer, WebGlProgram,
    WebGlUniformLocation, WebGlVertexArrayObject, WebglLoseContext,
};

const FLIGHT: i32 = size_of::<FlightRow>() as i32;
const STREAM: i32 = size_of::<StreamRow>() as i32;
/// Of `KHR_parallel_shader_compile`: whether a program is linked, answered at once.
const COMPLETION_STATUS: u32 = 0x91B1;
/// Corners of a stream's band: two at each end of its pieces.
const CORNERS: i32 = 2 * (BINS as i32 + 1);

/// A context with all that is needed to draw.
pub(crate) struct WebGl {
    gl: Gl,
    flights: Kind,
    streams: Kind,
    /// Whether the driver compiles beside, and can be asked how far it is.
    parallel: bool,
}

/// What draws one kind of rows, with an instance for each.
struct Kind {
    program: WebGlProgram,
    array: WebGlVertexArrayObject,
    buffer: WebGlBuffer,
    /// How many bytes the buffer has room for.
    room: usize,
    /// Where the shaders take their settings; not known before they are linked.
    uniforms: Option<Uniforms>,
}

struct Uniforms {
    view: Option<WebGlUniformLocation>,
    scale: Option<WebGlUniformLocation>,
    hues: Option<WebGlUniformLocation>,
    theme: Option<WebGlUniformLocation>,
}

impl Kind {
    fn new(gl: &Gl, (vertex, fragment): (&str, &str)) -> Result<Kind, String> {
        let program = begin(gl, vertex, fragment)?;
        let array = gl.create_vertex_array().ok_or("no vertex array")?;
        let buffer = gl.create_buffer().ok_or("no buffer")?;
        gl.bind_vertex_array(Some(&array));
        gl.bind_buffer(Gl::ARRAY_BUFFER, Some(&buffer));
        Ok(Kind { array, buffer, room: 0, uniforms: None, program })
    }

    /// Whether the shaders are compiled and linked; `parallel`: the driver can be asked without waiting for it.
    ///
    /// # Errors
    /// The driver's words, if it refused them.
    fn is_ready(&mut self, gl: &Gl, parallel: bool) -> Result<bool, String> {
        if self.uniforms.is_some() {
            return Ok(true);
        }
        let program = &self.program;
        if parallel && !gl.get_program_parameter(program, COMPLETION_STATUS).as_bool().unwrap_or(true) {
            return Ok(false);
        }
        if !gl.get_program_parameter(program, Gl::LINK_STATUS).as_bool().unwrap_or(false) {
            return Err(gl.get_program_info_log(program).unwrap_or_default());
        }
        let uniform = |name: &str| gl.get_uniform_location(program, name);
        let (view, scale) = (uniform("u_view"), uniform("u_scale"));
        let (hues, theme) = (uniform("u_hues"), uniform("u_theme"));
        self.uniforms = Some(Uniforms { view, scale, hues, theme });
        Ok(true)
    }

    /// Draws rows as they lie in memory; the buffer grows and is kept.
    fn draw(&mut self, gl: &Gl, rows: &[u8], (corners, count): (i32, usize), (view, scale): (Rect, f32), dark: bool) {
        let Some(uniforms) = self.uniforms.as_ref().filter(|_| count > 0) else { return };
        gl.use_program(Some(&self.program));
        gl.bind_vertex_array(Some(&self.array));
        gl.bind_buffer(Gl::ARRAY_BUFFER, Some(&self.buffer));
        if rows.len() > self.room {
            self.room = rows.len().next_power_of_two();
            gl.buffer_data_with_i32(Gl::ARRAY_BUFFER, self.room as i32, Gl::STREAM_DRAW);
        }
        gl.buffer_sub_data_with_i32_and_u8_array(Gl::ARRAY_BUFFER, 0, rows);
        gl.uniform4f(uniforms.view.as_ref(), view.x, view.y, view.w, view.h);
        gl.uniform1f(uniforms.scale.as_ref(), scale);
        gl.uniform3fv_with_f32_array(uniforms.hues.as_ref(), &unit(&HUES));
        gl.uniform3fv_with_f32_array(uniforms.theme.as_ref(), &unit(&theme(dark)));
        gl.draw_arrays_instanced(Gl::TRIANGLE_STRIP, 0, corners, count as i32);
    }
}

impl WebGl {
    pub fn new(gl: Gl) -> Result<WebGl, String> {
        let streams = Kind::new(&gl, (include_str!("../shaders/stream.vert"), include_str!("../shaders/stream.frag")))?;
        floats(&gl, &[(0, 4, 0), (1, 3, 16)], STREAM);
        gl.vertex_attrib_i_pointer_with_i32(2, 1, Gl::UNSIGNED_INT, STREAM, 28);
        gl.vertex_attrib_i_pointer_with_i32(3, 4, Gl::UNSIGNED_INT, STREAM, 32);
        each(&gl, 4);
        let flights = Kind::new(&gl, (include_str!("../shaders/flight.vert"), include_str!("../shaders/flight.frag")))?;
        floats(&gl, &[(0, 4, 0), (1, 4, 16), (3, 1, 36)], FLIGHT);
        gl.vertex_attrib_i_pointer_with_i32(2, 1, Gl::UNSIGNED_INT, FLIGHT, 32);
        each(&gl, 4);
        digits(&gl);
        let parallel = gl.get_extension("KHR_parallel_shader_compile").ok().flatten().is_some();
        Ok(WebGl { gl, flights, streams, parallel })
    }

    /// Whether it can paint yet: shaders compile while the page goes on.
    ///
    /// # Errors
    /// The driver's words, if it refused the shaders.
    pub fn is_ready(&mut self) -> Result<bool, String> {
        Ok(self.flights.is_ready(&self.gl, self.parallel)? && self.streams.is_ready(&self.gl, self.parallel)?)
    }

    pub fn paint(&mut self, flying: &Flying, pixels: (u32, u32), view: Rect, scale: f32, dark: bool) {
        let gl = &self.gl;
        gl.viewport(0, 0, pixels.0 as i32, pixels.1 as i32);
        gl.clear_color(0.0, 0.0, 0.0, 0.0);
        gl.clear(Gl::COLOR_BUFFER_BIT);
        gl.enable(Gl::BLEND);
        gl.blend_func(Gl::ONE, Gl::ONE_MINUS_SRC_ALPHA);
        let (streams, rows) = (&flying.streams, &flying.rows);
        self.streams.draw(gl, bytemuck::cast_slice(streams), (CORNERS, streams.len()), (view, scale), dark);
        self.flights.draw(gl, bytemuck::cast_slice(rows), (4, rows.len()), (view, scale), dark);
    }
}

/// Attributes of numbers: where, how many, from which byte on.
fn floats(gl: &Gl, attributes: &[(u32, i32, i32)], row: i32) {
    for (place, count, from) in attributes {
        gl.vertex_attrib_pointer_with_i32(*place, *count, Gl::FLOAT, false, row, *from);
    }
}

/// So many attributes, each the same for all corners of an instance.
fn each(gl: &Gl, count: u32) {
    for place in 0..count {
        gl.enable_vertex_attrib_array(place);
        gl.vertex_attrib_divisor(place, 1);
    }
}

impl Drop for WebGl {
    /// Gives the context back: browsers keep about sixteen of them.
    fn drop(&mut self) {
        if let Ok(Some(extension)) = self.gl.get_extension("WEBGL_lose_context") {
            extension.unchecked_into::<WebglLoseContext>().lose_context();
        }
    }
}

fn unit(colours: &[[u8; 3]]) -> Vec<f32> {
    colours.iter().flatten().map(|part| f32::from(*part) / 255.0).collect()
}

/// Has a program compiled and linked. How that went is asked later: an answer now would have to be waited for.
fn begin(gl: &Gl, vertex: &str, fragment: &str) -> Result<WebGlProgram, String> {
    let program = gl.create_program().ok_or("no program")?;
    let sources = [(Gl::VERTEX_SHADER, vertex), (Gl::FRAGMENT_SHADER, fragment)];
    for (kind, source) in sources {
        let shader = gl.create_shader(kind).ok_or("no shader")?;
        gl.shader_source(&shader, source);
        gl.compile_shader(&shader);
        gl.attach_shader(&program, &shader);
    }
    gl.link_program(&program);
    Ok(program)
}

/// The letters 0 to 9 and k in a row, as a texture, for the counts on capsules.
fn digits(gl: &Gl) {
    let Some(document) = web_sys::window().and_then(|window| window.document()) else { return };
    let Ok(element) = document.create_element("canvas") else { return };
    let Ok(canvas) = element.dyn_into::<HtmlCanvasElement>() else { return };
    let (width, height) = (32.0, 60.0);
    canvas.set_width(11 * 32);
    canvas.set_height(60);
    let context = canvas.get_context("2d").ok().flatten();
    let Some(context) = context.and_then(|context| context.dyn_into::<CanvasRenderingContext2d>().ok()) else { return };
    context.set_font("650 50px system-ui, sans-serif");
    context.set_text_align("center");
    for (place, letter) in "0123456789k".chars().enumerate() {
        let _ = context.fill_text(&letter.to_string(), (place as f64 + 0.5) * width, height * 0.8);
    }
    let texture = gl.create_texture();
    gl.bind_texture(Gl::TEXTURE_2D, texture.as_ref());
    let _ = gl.tex_image_2d_with_u32_and_u32_and_html_canvas_element(
        Gl::TEXTURE_2D,
        0,
        Gl::RGBA as i32,
        Gl::RGBA,
        Gl::UNSIGNED_BYTE,
        &canvas,
    );
    gl.generate_mipmap(Gl::TEXTURE_2D);
    gl.tex_parameteri(Gl::TEXTURE_2D, Gl::TEXTURE_MIN_FILTER, Gl::LINEAR_MIPMAP_LINEAR as i32);
    gl.tex_parameteri(Gl::TEXTURE_2D, Gl::TEXTURE_MAG_FILTER, Gl::LINEAR as i32);
    gl.tex_parameteri(Gl::TEXTURE_2D, Gl::TEXTURE_WRAP_S, Gl::CLAMP_TO_EDGE as i32);
    gl.tex_parameteri(Gl::TEXTURE_2D, Gl::TEXTURE_WRAP_T, Gl::CLAMP_TO_EDGE as i32);
}
