using Uniscale.Configuration;
using static TorchSharp.torch;

namespace Uniscale.Kernels;

/// <summary>Types of the tensors that a precision computes with.</summary>
public static class PrecisionTypes
{
    /// <summary>Type of parameters and of what flows between blocks.</summary>
    public static ScalarType TensorType(this PrecisionKind precision) =>
        precision == PrecisionKind.Bf16 ? ScalarType.BFloat16 : ScalarType.Float32;
}
