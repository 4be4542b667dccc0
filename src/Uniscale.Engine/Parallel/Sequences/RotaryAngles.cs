using static TorchSharp.torch;

namespace Uniscale.Engine.Parallel.Sequences;

/// <summary>Rotary angles of the tokens of a pass.</summary>
/// <param name="cosine">fp32 [1, tokens, 1, headDim/2].</param>
/// <param name="sine">Like the cosines.</param>
/// <param name="queryScale">By what queries are multiplied, fp32 [1, tokens, 1, 1]; null: by nothing.</param>
internal sealed class RotaryAngles(Tensor cosine, Tensor sine, Tensor? queryScale) : IDisposable
{
    private (Tensor Cosine, Tensor Sine)? _scaled;

    public Tensor Cosine { get; } = cosine;

    public Tensor Sine { get; } = sine;

    public Tensor? QueryScale { get; } = queryScale;

    /// <summary>Cosines and sines that turn queries and multiply them by their scale.</summary>
    public (Tensor Cosine, Tensor Sine) OfQueries()
    {
        if (QueryScale is null)
            return (Cosine, Sine);
        using var scope = NewDisposeScope();
        return _scaled ??= ((Cosine * QueryScale).DetachFromDisposeScope(), (Sine * QueryScale).DetachFromDisposeScope());
    }

    public void Dispose()
    {
        Cosine.Dispose();
        Sine.Dispose();
        QueryScale?.Dispose();
        _scaled?.Cosine.Dispose();
        _scaled?.Sine.Dispose();
    }
}
