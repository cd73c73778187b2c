//! The operations of [`NdArray`](super::NdArray), each handed to Burn's ndarray backend.

use burn::tensor::backend::ExecutionError;
use burn::tensor::ops::*;
use burn::tensor::quantization::{QuantScheme, QuantizationParametersPrimitive};
use burn::tensor::{BoolDType, Distribution, FloatDType, IndexingUpdateOp, IntDType, Scalar, Shape, Slice, TensorData};
use burn_ndarray::{NdArrayDevice as Device, NdArrayQTensor as Quantized, NdArrayTensor as Tensor};

use super::{Inner, NdArray};

/// Implements a trait of operations by those of [`Inner`]: first those that networks use, which are compiled here; then the
/// `others`, compiled by whoever calls one; what has types of its own is written out at the end.
macro_rules! through_inner {
    (
        $operations:ident {
            $(fn $name:ident($($argument:ident: $type:ty),* $(,)?) -> $output:ty;)*
        } others {
            $(fn $other:ident($($other_argument:ident: $other_type:ty),* $(,)?) -> $other_output:ty;)*
        } written out {
            $($written_out:tt)*
        }
    ) => {
        impl $operations<NdArray> for NdArray {
            $(fn $name($($argument: $type),*) -> $output {
                <Inner as $operations<Inner>>::$name($($argument),*)
            })*

            $(#[inline]
            fn $other($($other_argument: $other_type),*) -> $other_output {
                <Inner as $operations<Inner>>::$other($($other_argument),*)
            })*

            $($written_out)*
        }
    };
}

through_inner! {
    FloatTensorOps {
        fn float_from_data(data: TensorData, device: &Device) -> Tensor;
        fn float_random(shape: Shape, distribution: Distribution, device: &Device, dtype: FloatDType) -> Tensor;
        fn float_add(lhs: Tensor, rhs: Tensor) -> Tensor;
        fn float_add_scalar(lhs: Tensor, rhs: Scalar) -> Tensor;
        fn float_sub(lhs: Tensor, rhs: Tensor) -> Tensor;
        fn float_sub_scalar(lhs: Tensor, rhs: Scalar) -> Tensor;
        fn float_mul(lhs: Tensor, rhs: Tensor) -> Tensor;
        fn float_mul_scalar(lhs: Tensor, rhs: Scalar) -> Tensor;
        fn float_div(lhs: Tensor, rhs: Tensor) -> Tensor;
        fn float_div_scalar(lhs: Tensor, rhs: Scalar) -> Tensor;
        fn float_matmul(lhs: Tensor, rhs: Tensor) -> Tensor;
        fn float_recip(tensor: Tensor) -> Tensor;
        fn float_swap_dims(tensor: Tensor, dim1: usize, dim2: usize) -> Tensor;
        fn float_reshape(tensor: Tensor, shape: Shape) -> Tensor;
        fn float_gather(dim: usize, tensor: Tensor, indices: Tensor) -> Tensor;
        fn float_scatter_add(dim: usize, tensor: Tensor, indices: Tensor, value: Tensor) -> Tensor;
        fn float_slice(tensor: Tensor, slices: &[Slice]) -> Tensor;
        fn float_slice_assign(tensor: Tensor, slices: &[Slice], value: Tensor) -> Tensor;
        fn float_mask_where(tensor: Tensor, mask: Tensor, value: Tensor) -> Tensor;
        fn float_mask_fill(tensor: Tensor, mask: Tensor, value: Scalar) -> Tensor;
        fn float_greater_elem(lhs: Tensor, rhs: Scalar, out_dtype: BoolDType) -> Tensor;
        fn float_lower(lhs: Tensor, rhs: Tensor, out_dtype: BoolDType) -> Tensor;
        fn float_lower_elem(lhs: Tensor, rhs: Scalar, out_dtype: BoolDType) -> Tensor;
        fn float_lower_equal_elem(lhs: Tensor, rhs: Scalar, out_dtype: BoolDType) -> Tensor;
        fn float_sum(tensor: Tensor) -> Tensor;
        fn float_sum_dim(tensor: Tensor, dim: usize) -> Tensor;
        fn float_argmax(tensor: Tensor, dim: usize, out_dtype: IntDType) -> Tensor;
        fn float_argmin(tensor: Tensor, dim: usize, out_dtype: IntDType) -> Tensor;
        fn float_exp(tensor: Tensor) -> Tensor;
        fn float_log(tensor: Tensor) -> Tensor;
        fn float_max(tensor: Tensor) -> Tensor;
        fn float_min(tensor: Tensor) -> Tensor;
        fn float_powf_scalar_impl(tensor: Tensor, value: Scalar) -> Tensor;
        fn float_sqrt(tensor: Tensor) -> Tensor;
        fn float_abs(tensor: Tensor) -> Tensor;
        fn float_cat(tensors: Vec<Tensor>, dim: usize) -> Tensor;
        fn float_clamp_max(tensor: Tensor, max: Scalar) -> Tensor;
        fn float_powf(lhs: Tensor, rhs: Tensor) -> Tensor;
        fn float_sign(tensor: Tensor) -> Tensor;
    } others {
        fn float_device(tensor: &Tensor) -> Device;
        fn float_to_device(tensor: Tensor, device: &Device) -> Tensor;
        fn float_empty(shape: Shape, device: &Device, dtype: FloatDType) -> Tensor;
        fn float_remainder(lhs: Tensor, rhs: Tensor) -> Tensor;
        fn float_remainder_scalar(lhs: Tensor, rhs: Scalar) -> Tensor;
        fn float_cross(lhs: Tensor, rhs: Tensor, dim: usize) -> Tensor;
        fn float_scatter_nd(data: Tensor, indices: Tensor, values: Tensor, reduction: IndexingUpdateOp) -> Tensor;
        fn float_gather_nd(data: Tensor, indices: Tensor) -> Tensor;
        fn float_select(tensor: Tensor, dim: usize, indices: Tensor) -> Tensor;
        fn float_select_add(tensor: Tensor, dim: usize, indices: Tensor, value: Tensor) -> Tensor;
        fn float_equal(lhs: Tensor, rhs: Tensor, out_dtype: BoolDType) -> Tensor;
        fn float_equal_elem(lhs: Tensor, rhs: Scalar, out_dtype: BoolDType) -> Tensor;
        fn float_greater(lhs: Tensor, rhs: Tensor, out_dtype: BoolDType) -> Tensor;
        fn float_greater_equal(lhs: Tensor, rhs: Tensor, out_dtype: BoolDType) -> Tensor;
        fn float_greater_equal_elem(lhs: Tensor, rhs: Scalar, out_dtype: BoolDType) -> Tensor;
        fn float_lower_equal(lhs: Tensor, rhs: Tensor, out_dtype: BoolDType) -> Tensor;
        fn float_detach(tensor: Tensor) -> Tensor;
        fn float_mean(tensor: Tensor) -> Tensor;
        fn float_mean_dim(tensor: Tensor, dim: usize) -> Tensor;
        fn float_cumsum(tensor: Tensor, dim: usize) -> Tensor;
        fn float_cumprod(tensor: Tensor, dim: usize) -> Tensor;
        fn float_cummin(tensor: Tensor, dim: usize) -> Tensor;
        fn float_cummax(tensor: Tensor, dim: usize) -> Tensor;
        fn float_argtopk(tensor: Tensor, dim: usize, k: usize, out_dtype: IntDType) -> Tensor;
        fn float_prod(tensor: Tensor) -> Tensor;
        fn float_prod_dim(tensor: Tensor, dim: usize) -> Tensor;
        fn float_log1p(tensor: Tensor) -> Tensor;
        fn float_cos(tensor: Tensor) -> Tensor;
        fn float_cosh(tensor: Tensor) -> Tensor;
        fn float_sin(tensor: Tensor) -> Tensor;
        fn float_sinh(tensor: Tensor) -> Tensor;
        fn float_tan(tensor: Tensor) -> Tensor;
        fn float_tanh(tensor: Tensor) -> Tensor;
        fn float_acos(tensor: Tensor) -> Tensor;
        fn float_acosh(tensor: Tensor) -> Tensor;
        fn float_asin(tensor: Tensor) -> Tensor;
        fn float_asinh(tensor: Tensor) -> Tensor;
        fn float_atan(tensor: Tensor) -> Tensor;
        fn float_atanh(tensor: Tensor) -> Tensor;
        fn float_atan2(lhs: Tensor, rhs: Tensor) -> Tensor;
        fn float_round(tensor: Tensor) -> Tensor;
        fn float_floor(tensor: Tensor) -> Tensor;
        fn float_ceil(tensor: Tensor) -> Tensor;
        fn float_trunc(tensor: Tensor) -> Tensor;
        fn float_erf(tensor: Tensor) -> Tensor;
        fn float_clamp_min(tensor: Tensor, min: Scalar) -> Tensor;
        fn float_clamp(tensor: Tensor, min: Scalar, max: Scalar) -> Tensor;
        fn float_into_int(tensor: Tensor, out_dtype: IntDType) -> Tensor;
        fn float_permute(tensor: Tensor, axes: &[usize]) -> Tensor;
        fn float_flip(tensor: Tensor, axes: &[usize]) -> Tensor;
        fn float_expand(tensor: Tensor, shape: Shape) -> Tensor;
        fn float_cast(tensor: Tensor, dtype: FloatDType) -> Tensor;
        fn float_grid_sample_2d(tensor: Tensor, grid: Tensor, options: GridSampleOptions) -> Tensor;
        fn float_unfold(tensor: Tensor, dim: usize, size: usize, step: usize) -> Tensor;
    } written out {
        async fn float_into_data(tensor: Tensor) -> Result<TensorData, ExecutionError> {
            <Inner as FloatTensorOps<Inner>>::float_into_data(tensor).await
        }
    }
}

through_inner! {
    ModuleOps {
        fn conv2d(x: Tensor, weight: Tensor, bias: Option<Tensor>, options: ConvOptions<2>) -> Tensor;
        fn conv_transpose2d(x: Tensor, weight: Tensor, bias: Option<Tensor>, options: ConvTransposeOptions<2>) -> Tensor;
        fn avg_pool2d(
            x: Tensor,
            kernel_size: [usize; 2],
            stride: [usize; 2],
            padding: [usize; 2],
            count_include_pad: bool,
            ceil_mode: bool,
        ) -> Tensor;
        fn avg_pool2d_backward(
            x: Tensor,
            grad: Tensor,
            kernel_size: [usize; 2],
            stride: [usize; 2],
            padding: [usize; 2],
            count_include_pad: bool,
            ceil_mode: bool,
        ) -> Tensor;
        fn max_pool2d(
            x: Tensor,
            kernel_size: [usize; 2],
            stride: [usize; 2],
            padding: [usize; 2],
            dilation: [usize; 2],
            ceil_mode: bool,
        ) -> Tensor;
        fn adaptive_avg_pool2d(x: Tensor, output_size: [usize; 2]) -> Tensor;
        fn adaptive_avg_pool2d_backward(x: Tensor, grad: Tensor) -> Tensor;
    } others {
        fn deform_conv2d(
            x: Tensor,
            offset: Tensor,
            weight: Tensor,
            mask: Option<Tensor>,
            bias: Option<Tensor>,
            options: DeformConvOptions<2>,
        ) -> Tensor;
        fn interpolate(x: Tensor, output_size: [usize; 2], options: InterpolateOptions) -> Tensor;
        fn interpolate_backward(x: Tensor, grad: Tensor, output_size: [usize; 2], options: InterpolateOptions) -> Tensor;
        fn conv3d(x: Tensor, weight: Tensor, bias: Option<Tensor>, options: ConvOptions<3>) -> Tensor;
        fn conv_transpose3d(x: Tensor, weight: Tensor, bias: Option<Tensor>, options: ConvTransposeOptions<3>) -> Tensor;
        fn attention(
            query: Tensor,
            key: Tensor,
            value: Tensor,
            mask: Option<Tensor>,
            attn_bias: Option<Tensor>,
            options: AttentionModuleOptions,
        ) -> Tensor;
        fn rfft(signal: Tensor, dim: usize, n: Option<usize>) -> (Tensor, Tensor);
        fn irfft(spectrum_re: Tensor, spectrum_im: Tensor, dim: usize, n: Option<usize>) -> Tensor;
    } written out {
        #[inline]
        fn deform_conv2d_backward(
            x: Tensor,
            offset: Tensor,
            weight: Tensor,
            mask: Option<Tensor>,
            bias: Option<Tensor>,
            output_grad: Tensor,
            options: DeformConvOptions<2>,
        ) -> DeformConv2dBackward<NdArray> {
            let grads = Inner::deform_conv2d_backward(x, offset, weight, mask, bias, output_grad, options);
            let DeformConv2dBackward { x_grad, offset_grad, weight_grad, mask_grad, bias_grad } = grads;
            DeformConv2dBackward { x_grad, offset_grad, weight_grad, mask_grad, bias_grad }
        }

        fn max_pool2d_with_indices(
            x: Tensor,
            kernel_size: [usize; 2],
            stride: [usize; 2],
            padding: [usize; 2],
            dilation: [usize; 2],
            ceil_mode: bool,
        ) -> MaxPool2dWithIndices<NdArray> {
            let pooled = Inner::max_pool2d_with_indices(x, kernel_size, stride, padding, dilation, ceil_mode);
            MaxPool2dWithIndices { output: pooled.output, indices: pooled.indices }
        }

        fn max_pool2d_with_indices_backward(
            x: Tensor,
            kernel_size: [usize; 2],
            stride: [usize; 2],
            padding: [usize; 2],
            dilation: [usize; 2],
            ceil_mode: bool,
            output_grad: Tensor,
            indices: Tensor,
        ) -> MaxPool2dBackward<NdArray> {
            let grads = Inner::max_pool2d_with_indices_backward(
                x, kernel_size, stride, padding, dilation, ceil_mode, output_grad, indices,
            );
            MaxPool2dBackward { x_grad: grads.x_grad }
        }
    }
}

through_inner! {
    ActivationOps {
        fn relu(tensor: Tensor) -> Tensor;
    } others {
    } written out {}
}

through_inner! {
    IntTensorOps {
        fn int_from_data(data: TensorData, device: &Device) -> Tensor;
        fn int_reshape(tensor: Tensor, shape: Shape) -> Tensor;
    } others {
        fn int_to_device(tensor: Tensor, device: &Device) -> Tensor;
        fn int_slice(tensor: Tensor, slices: &[Slice]) -> Tensor;
        fn int_device(tensor: &Tensor) -> Device;
        fn int_empty(shape: Shape, device: &Device, dtype: IntDType) -> Tensor;
        fn int_matmul(lhs: Tensor, rhs: Tensor) -> Tensor;
        fn int_mask_where(tensor: Tensor, mask: Tensor, source: Tensor) -> Tensor;
        fn int_mask_fill(tensor: Tensor, mask: Tensor, value: Scalar) -> Tensor;
        fn int_slice_assign(tensor: Tensor, slices: &[Slice], value: Tensor) -> Tensor;
        fn int_cat(tensors: Vec<Tensor>, dim: usize) -> Tensor;
        fn int_equal(lhs: Tensor, rhs: Tensor, out_dtype: BoolDType) -> Tensor;
        fn int_equal_elem(lhs: Tensor, rhs: Scalar, out_dtype: BoolDType) -> Tensor;
        fn int_greater(lhs: Tensor, rhs: Tensor, out_dtype: BoolDType) -> Tensor;
        fn int_greater_elem(lhs: Tensor, rhs: Scalar, out_dtype: BoolDType) -> Tensor;
        fn int_greater_equal(lhs: Tensor, rhs: Tensor, out_dtype: BoolDType) -> Tensor;
        fn int_greater_equal_elem(lhs: Tensor, rhs: Scalar, out_dtype: BoolDType) -> Tensor;
        fn int_lower(lhs: Tensor, rhs: Tensor, out_dtype: BoolDType) -> Tensor;
        fn int_lower_elem(lhs: Tensor, rhs: Scalar, out_dtype: BoolDType) -> Tensor;
        fn int_lower_equal(lhs: Tensor, rhs: Tensor, out_dtype: BoolDType) -> Tensor;
        fn int_lower_equal_elem(lhs: Tensor, rhs: Scalar, out_dtype: BoolDType) -> Tensor;
        fn int_add(lhs: Tensor, rhs: Tensor) -> Tensor;
        fn int_add_scalar(lhs: Tensor, rhs: Scalar) -> Tensor;
        fn int_sub(lhs: Tensor, rhs: Tensor) -> Tensor;
        fn int_sub_scalar(lhs: Tensor, rhs: Scalar) -> Tensor;
        fn int_mul(lhs: Tensor, rhs: Tensor) -> Tensor;
        fn int_mul_scalar(lhs: Tensor, rhs: Scalar) -> Tensor;
        fn int_div(lhs: Tensor, rhs: Tensor) -> Tensor;
        fn int_div_scalar(lhs: Tensor, rhs: Scalar) -> Tensor;
        fn int_remainder(lhs: Tensor, rhs: Tensor) -> Tensor;
        fn int_remainder_scalar(lhs: Tensor, rhs: Scalar) -> Tensor;
        fn int_sum(tensor: Tensor) -> Tensor;
        fn int_sum_dim(tensor: Tensor, dim: usize) -> Tensor;
        fn int_prod(tensor: Tensor) -> Tensor;
        fn int_prod_dim(tensor: Tensor, dim: usize) -> Tensor;
        fn int_mean(tensor: Tensor) -> Tensor;
        fn int_mean_dim(tensor: Tensor, dim: usize) -> Tensor;
        fn int_max(tensor: Tensor) -> Tensor;
        fn int_min(tensor: Tensor) -> Tensor;
        fn int_cumsum(tensor: Tensor, dim: usize) -> Tensor;
        fn int_cumprod(tensor: Tensor, dim: usize) -> Tensor;
        fn int_cummin(tensor: Tensor, dim: usize) -> Tensor;
        fn int_cummax(tensor: Tensor, dim: usize) -> Tensor;
        fn int_gather(dim: usize, tensor: Tensor, indices: Tensor) -> Tensor;
        fn int_scatter_add(dim: usize, tensor: Tensor, indices: Tensor, value: Tensor) -> Tensor;
        fn int_scatter_nd(data: Tensor, indices: Tensor, values: Tensor, reduction: IndexingUpdateOp) -> Tensor;
        fn int_gather_nd(data: Tensor, indices: Tensor) -> Tensor;
        fn int_select(tensor: Tensor, dim: usize, indices: Tensor) -> Tensor;
        fn int_select_add(tensor: Tensor, dim: usize, indices: Tensor, value: Tensor) -> Tensor;
        fn int_argmax(tensor: Tensor, dim: usize) -> Tensor;
        fn int_argtopk(tensor: Tensor, dim: usize, k: usize) -> Tensor;
        fn int_argmin(tensor: Tensor, dim: usize) -> Tensor;
        fn int_clamp_min(tensor: Tensor, min: Scalar) -> Tensor;
        fn int_clamp_max(tensor: Tensor, max: Scalar) -> Tensor;
        fn int_clamp(tensor: Tensor, min: Scalar, max: Scalar) -> Tensor;
        fn int_abs(tensor: Tensor) -> Tensor;
        fn int_into_float(tensor: Tensor, out_dtype: FloatDType) -> Tensor;
        fn int_swap_dims(tensor: Tensor, dim1: usize, dim2: usize) -> Tensor;
        fn int_random(shape: Shape, distribution: Distribution, device: &Device, dtype: IntDType) -> Tensor;
        fn int_powi(lhs: Tensor, rhs: Tensor) -> Tensor;
        fn int_permute(tensor: Tensor, axes: &[usize]) -> Tensor;
        fn int_flip(tensor: Tensor, axes: &[usize]) -> Tensor;
        fn int_sign(tensor: Tensor) -> Tensor;
        fn int_expand(tensor: Tensor, shape: Shape) -> Tensor;
        fn bitwise_and(lhs: Tensor, rhs: Tensor) -> Tensor;
        fn bitwise_and_scalar(lhs: Tensor, rhs: Scalar) -> Tensor;
        fn bitwise_or(lhs: Tensor, rhs: Tensor) -> Tensor;
        fn bitwise_or_scalar(lhs: Tensor, rhs: Scalar) -> Tensor;
        fn bitwise_xor(lhs: Tensor, rhs: Tensor) -> Tensor;
        fn bitwise_xor_scalar(lhs: Tensor, rhs: Scalar) -> Tensor;
        fn bitwise_not(tensor: Tensor) -> Tensor;
        fn bitwise_left_shift(lhs: Tensor, rhs: Tensor) -> Tensor;
        fn bitwise_left_shift_scalar(lhs: Tensor, rhs: Scalar) -> Tensor;
        fn bitwise_right_shift(lhs: Tensor, rhs: Tensor) -> Tensor;
        fn bitwise_right_shift_scalar(lhs: Tensor, rhs: Scalar) -> Tensor;
        fn int_cast(tensor: Tensor, dtype: IntDType) -> Tensor;
        fn int_unfold(tensor: Tensor, dim: usize, size: usize, step: usize) -> Tensor;
        fn int_powi_scalar_impl(lhs: Tensor, rhs: Scalar) -> Tensor;
    } written out {
        async fn int_into_data(tensor: Tensor) -> Result<TensorData, ExecutionError> {
            <Inner as IntTensorOps<Inner>>::int_into_data(tensor).await
        }
    }
}

through_inner! {
    BoolTensorOps {

    } others {
        fn bool_from_data(data: TensorData, device: &Device) -> Tensor;
        fn bool_to_device(tensor: Tensor, device: &Device) -> Tensor;
        fn bool_reshape(tensor: Tensor, shape: Shape) -> Tensor;
        fn bool_slice(tensor: Tensor, slices: &[Slice]) -> Tensor;
        fn bool_into_int(tensor: Tensor, out_dtype: IntDType) -> Tensor;
        fn bool_device(tensor: &Tensor) -> Device;
        fn bool_empty(shape: Shape, device: &Device, dtype: BoolDType) -> Tensor;
        fn bool_zeros(shape: Shape, device: &Device, dtype: BoolDType) -> Tensor;
        fn bool_ones(shape: Shape, device: &Device, dtype: BoolDType) -> Tensor;
        fn bool_slice_assign(tensor: Tensor, slices: &[Slice], value: Tensor) -> Tensor;
        fn bool_cat(tensors: Vec<Tensor>, dim: usize) -> Tensor;
        fn bool_equal(lhs: Tensor, rhs: Tensor) -> Tensor;
        fn bool_not(tensor: Tensor) -> Tensor;
        fn bool_and(lhs: Tensor, rhs: Tensor) -> Tensor;
        fn bool_or(lhs: Tensor, rhs: Tensor) -> Tensor;
        fn bool_into_float(tensor: Tensor, out_dtype: FloatDType) -> Tensor;
        fn bool_swap_dims(tensor: Tensor, dim1: usize, dim2: usize) -> Tensor;
        fn bool_permute(tensor: Tensor, axes: &[usize]) -> Tensor;
        fn bool_expand(tensor: Tensor, shape: Shape) -> Tensor;
        fn bool_select(tensor: Tensor, dim: usize, indices: Tensor) -> Tensor;
        fn bool_select_or(tensor: Tensor, dim: usize, indices: Tensor, value: Tensor) -> Tensor;
        fn bool_flip(tensor: Tensor, axes: &[usize]) -> Tensor;
        fn bool_unfold(tensor: Tensor, dim: usize, size: usize, step: usize) -> Tensor;
        fn bool_mask_where(tensor: Tensor, mask: Tensor, value: Tensor) -> Tensor;
        fn bool_mask_fill(tensor: Tensor, mask: Tensor, value: Scalar) -> Tensor;
        fn bool_gather(dim: usize, tensor: Tensor, indices: Tensor) -> Tensor;
        fn bool_scatter_or(dim: usize, tensor: Tensor, indices: Tensor, value: Tensor) -> Tensor;
        fn bool_equal_elem(lhs: Tensor, rhs: Scalar) -> Tensor;
        fn bool_any(tensor: Tensor) -> Tensor;
        fn bool_all(tensor: Tensor) -> Tensor;
    } written out {
        async fn bool_into_data(tensor: Tensor) -> Result<TensorData, ExecutionError> {
            <Inner as BoolTensorOps<Inner>>::bool_into_data(tensor).await
        }
    }
}

through_inner! {
    QTensorOps {

    } others {
        fn q_from_data(data: TensorData, device: &Device) -> Quantized;
        fn dequantize(tensor: Quantized, dtype: FloatDType) -> Tensor;
        fn q_device(tensor: &Quantized) -> Device;
        fn q_to_device(tensor: Quantized, device: &Device) -> Quantized;
        fn q_reshape(tensor: Quantized, shape: Shape) -> Quantized;
        fn q_swap_dims(tensor: Quantized, dim1: usize, dim2: usize) -> Quantized;
        fn q_permute(tensor: Quantized, axes: &[usize]) -> Quantized;
        fn q_flip(tensor: Quantized, axes: &[usize]) -> Quantized;
        fn q_gather(dim: usize, tensor: Quantized, indices: Tensor) -> Quantized;
        fn q_select(tensor: Quantized, dim: usize, indices: Tensor) -> Quantized;
        fn q_slice(tensor: Quantized, slices: &[Slice]) -> Quantized;
        fn q_argmax(tensor: Quantized, dim: usize, out_dtype: IntDType) -> Tensor;
        fn q_argmin(tensor: Quantized, dim: usize, out_dtype: IntDType) -> Tensor;
        fn q_expand(tensor: Quantized, shape: Shape) -> Quantized;
    } written out {
        #[inline]
        fn quantize(
            tensor: Tensor,
            scheme: &QuantScheme,
            qparams: QuantizationParametersPrimitive<NdArray>,
        ) -> Quantized {
            Inner::quantize(tensor, scheme, QuantizationParametersPrimitive { scales: qparams.scales })
        }

        async fn q_into_data(tensor: Quantized) -> Result<TensorData, ExecutionError> {
            <Inner as QTensorOps<Inner>>::q_into_data(tensor).await
        }
    }
}

impl TransactionOps<NdArray> for NdArray {}
