using Uniscale.Configuration;

namespace Uniscale.Engine.Model;

/// <summary>Global names, shapes and first values of the parameters of the model.</summary>
internal static class Parameters
{
    /// <summary>Name of the embedding matrix, which a head with tied embeddings shares.</summary>
    public const string TokenEmbedding = "embedding.tokens.weight";

    public static ParameterSpec Tokens(ModelSection model, long vocabulary) =>
        new(TokenEmbedding, [vocabulary, model.Hidden], new Initializer(model.InitStd), Decay: true);

    public static ParameterSpec Positions(ModelSection model) =>
        new("embedding.positions.weight", [model.Context, model.Hidden], new Initializer(model.InitStd), Decay: false);

    public static ParameterSpec Output(ModelSection model, long vocabulary) =>
        model.TiedEmbeddings
            ? Tokens(model, vocabulary)
            : new ParameterSpec("head.output.weight", [vocabulary, model.Hidden], new Initializer(model.InitStd), Decay: true);

    public static ParameterSpec Score(ModelSection model) =>
        new(Block.ScoreWeight, [1, model.Hidden], new Initializer(model.ScoreStd), Decay: true);

    public static IEnumerable<ParameterSpec> Norm(ModelSection model, string name)
    {
        yield return new ParameterSpec($"{name}.weight", [model.Hidden], new Initializer(0, 1), Decay: false);
        if (model.Norm == NormKind.LayerNorm)
            yield return new ParameterSpec($"{name}.bias", [model.Hidden], default, Decay: false);
    }

    public static IEnumerable<ParameterSpec> Linear(string name, long output, long input, double std, bool bias)
    {
        yield return new ParameterSpec($"{name}.weight", [output, input], new Initializer(std), Decay: true);
        if (bias)
            yield return new ParameterSpec($"{name}.bias", [output], default, Decay: false);
    }
}
