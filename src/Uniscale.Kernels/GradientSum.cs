using Uniscale.Torch;
using static TorchSharp.torch;

namespace Uniscale.Kernels;

/// <summary>The fp32 sum of a parameter's gradients over a step, as it is handed to whoever has a gradient to add.</summary>
/// <param name="Values">Of the parameter's shape.</param>
/// <param name="IsEmpty">
/// Nothing was added in this step: the values are those of another one and must be overwritten, all of them. So nobody has to write zeros
/// first, which for a large model is a pass over memory each step.
/// </param>
public readonly record struct GradientSum(Tensor Values, bool IsEmpty)
{
    /// <summary>A sum that holds something, if only zeros.</summary>
    public static implicit operator GradientSum(Tensor values) => FromTensor(values);

    /// <inheritdoc cref="op_Implicit(Tensor)"/>
    public static GradientSum FromTensor(Tensor values) => new(values, IsEmpty: false);

    /// <summary>The values for one who adds to some of them only: zeros where nothing was added.</summary>
    public Tensor Begun() => IsEmpty ? Values.zero_() : Values;

    /// <summary>Adds a gradient of any type.</summary>
    public void Add(Tensor gradient)
    {
        if (IsEmpty)
            Values.copy_(gradient);
        else
            Values.add_(gradient, Scalars.One);
    }
}
