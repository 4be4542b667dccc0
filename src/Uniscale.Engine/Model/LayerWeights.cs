using Uniscale.Configuration;
using static TorchSharp.torch;

namespace Uniscale.Engine.Model;

/// <summary>Scale and, for layer norm, shift of a normalisation.</summary>
internal readonly record struct NormWeights(Tensor Weight, Tensor? Bias);

/// <summary>The parameters of a <see cref="TransformerBlock"/> by what they do.</summary>
/// <param name="AttentionNorm">Before attention.</param>
/// <param name="Query">To the queries.</param>
/// <param name="Key">To the keys.</param>
/// <param name="Value">To the values.</param>
/// <param name="Output">From what the heads read, back to the residual.</param>
/// <param name="FfnNorm">Before the feed-forward network.</param>
/// <param name="Gate">With SwiGLU, what is activated; null with GELU.</param>
/// <param name="Up">To the width of the feed-forward network; with GELU, what is activated.</param>
/// <param name="Down">Back to the residual.</param>
internal readonly record struct LayerWeights(
    NormWeights AttentionNorm,
    ColumnWeights Query,
    ColumnWeights Key,
    ColumnWeights Value,
    ColumnWeights Output,
    NormWeights FfnNorm,
    ColumnWeights? Gate,
    ColumnWeights Up,
    ColumnWeights Down
)
{
    /// <summary>Of parameters in the order of the block's specifications.</summary>
    /// <param name="model">Shape of the model.</param>
    /// <param name="parameters">All of the block.</param>
    public static LayerWeights Of(ModelSection model, IReadOnlyList<Tensor> parameters)
    {
        int next = 0;
        Tensor? NextIf(bool present) => present ? parameters[next++] : null;
        NormWeights Norm() => new(parameters[next++], NextIf(model.Norm == NormKind.LayerNorm));
        ColumnWeights Matrix(bool bias, bool keyValue = false) => new(parameters[next++], NextIf(bias), keyValue);
        return new LayerWeights(
            Norm(),
            Matrix(model.QkvBias),
            Matrix(model.QkvBias, keyValue: true),
            Matrix(model.QkvBias, keyValue: true),
            Matrix(model.AttentionOutputBias),
            Norm(),
            model.Activation == ActivationKind.Swiglu ? Matrix(model.FfnBias) : null,
            Matrix(model.FfnBias),
            Matrix(model.FfnBias)
        );
    }
}
