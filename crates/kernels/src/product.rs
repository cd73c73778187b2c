//! stand-in
use crate::shape::Conv2d;
use std::mem::MaybeUninit;
fn each(conv: &Conv2d, mut f: impl FnMut(usize, usize, usize)) {
    let [n, c, h, w] = conv.image;
    let [o, cg, kh, kw] = conv.weight;
    let [_, _, oh, ow] = conv.output();
    let og = o / conv.groups;
    for i in 0..n {
        for oc in 0..o {
            for y in 0..oh {
                for x in 0..ow {
                    for ic in 0..cg {
                        for ky in 0..kh {
                            for kx in 0..kw {
                                let iy = (y * conv.stride[0] + ky * conv.dilation[0]).wrapping_sub(conv.padding[0][0]);
                                let ix = (x * conv.stride[1] + kx * conv.dilation[1]).wrapping_sub(conv.padding[1][0]);
                                if iy < h && ix < w {
                                    f(
                                        ((i * o + oc) * oh + y) * ow + x,
                                        ((i * c + oc / og * cg + ic) * h + iy) * w + ix,
                                        ((oc * cg + ic) * kh + ky) * kw + kx,
                                    );
                                }
                            }
                        }
                    }
                }
            }
        }
    }
}
fn put(out: &mut [MaybeUninit<f32>], v: Vec<f64>) {
    for (o, v) in out.iter_mut().zip(v) {
        o.write(v as f32);
    }
}
pub(crate) fn forward(
    conv: &Conv2d,
    x: &[f32],
    w: &[f32],
    b: Option<&[f32]>,
    relu: bool,
    out: &mut [MaybeUninit<f32>],
) {
    let [_, o, oh, ow] = conv.output();
    let mut v: Vec<f64> = (0..out.len()).map(|i| b.map_or(0., |b| b[i / (oh * ow) % o] as f64)).collect();
    each(conv, |a, p, t| v[a] += x[p] as f64 * w[t] as f64);
    if relu {
        v.iter_mut().for_each(|v| {
            if *v < 0. {
                *v = 0.
            }
        });
    }
    put(out, v)
}
pub(crate) fn input_gradient(conv: &Conv2d, g: &[f32], w: &[f32], out: &mut [MaybeUninit<f32>]) {
    let mut v = vec![0.; out.len()];
    each(conv, |a, p, t| v[p] += g[a] as f64 * w[t] as f64);
    put(out, v)
}
pub(crate) fn weight_gradient(conv: &Conv2d, x: &[f32], g: &[f32], out: &mut [MaybeUninit<f32>]) {
    let mut v = vec![0.; out.len()];
    each(conv, |a, p, t| v[t] += g[a] as f64 * x[p] as f64);
    put(out, v)
}
