using Uniscale.Collectives;
using Uniscale.Torch;
using static TorchSharp.torch;

namespace Uniscale.Engine.Devices;

/// <summary>The raw memory of tensors, for collectives.</summary>
public static class TensorBuffer
{
    /// <summary>Memory of a contiguous tensor; valid as long as the tensor lives.</summary>
    public static CommBuffer Of(Tensor tensor)
    {
        if (!tensor.is_contiguous())
            throw new ArgumentException($"A tensor of shape [{string.Join(", ", tensor.shape)}] must be contiguous to be communicated.");
        return new CommBuffer(TensorMemory.DataPointer(tensor), tensor.numel(), TypeOf(tensor.dtype));
    }

    /// <summary>The collectives' name of a tensor's type.</summary>
    public static ElementType TypeOf(ScalarType type) =>
        type switch
        {
            ScalarType.Byte or ScalarType.Bool => ElementType.UInt8,
            ScalarType.Int32 => ElementType.Int32,
            ScalarType.Int64 => ElementType.Int64,
            ScalarType.BFloat16 => ElementType.BFloat16,
            ScalarType.Float16 => ElementType.Float16,
            ScalarType.Float32 => ElementType.Float32,
            ScalarType.Float64 => ElementType.Float64,
            _ => throw new ArgumentException($"Tensors of type {type} cannot be communicated."),
        };
}
