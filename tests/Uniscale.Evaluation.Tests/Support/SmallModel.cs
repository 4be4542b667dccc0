using Uniscale.Collectives;
using Uniscale.Configuration;
using Uniscale.Engine.Tests.Support;
using Uniscale.Evaluation.Inference;
using Uniscale.Training.Feeding;
using Uniscale.Training.Runtime;

namespace Uniscale.Evaluation.Tests.Support;

/// <summary>An untrained model in the memory of a trainer, whose weights are large enough to tell tokens apart.</summary>
internal static class SmallModel
{
    public const int Vocabulary = 97;

    public static ModelSection Shape { get; } = new()
    {
        Layers = 4,
        Hidden = 32,
        Heads = 4,
        KvHeads = 2,
        Ffn = 64,
        Context = 600,
        Vocabulary = Vocabulary,
        InitStd = 0.4,
    };

    /// <summary>What a rank of a layout makes of the model; results by rank.</summary>
    /// <param name="parallel">The layout as YAML, e.g. <c>tensor: 2</c>.</param>
    /// <param name="ranks">Its ranks.</param>
    /// <param name="use">Uses the model.</param>
    /// <param name="shape">Another model.</param>
    public static T[] On<T>(string parallel, int ranks, Func<InferenceModel, IWorld, T> use, ModelSection? shape = null)
    {
        var configuration = ConfigurationLoader.Parse($$"""
            batch: { global: 4, micro: 1 }
            train: { steps: 1, threads: 1 }
            parallel: { {{parallel}} }
            """).Value with
        { Model = shape ?? Shape };
        return Ranks.Run(ranks, world =>
        {
            using var runtime = RankRuntime.Create(configuration, world, new SyntheticSource(configuration, Vocabulary), 2400, Vocabulary);
            using var model = InferenceModel.Of(runtime.Model, runtime.Specification, configuration.Model);
            return use(model, world);
        });
    }

    /// <summary>The same on one rank.</summary>
    public static T On<T>(Func<InferenceModel, T> use) => On("tensor: 1", 1, (model, _) => use(model))[0];

    /// <summary>Tokens that look like chance.</summary>
    public static int[] Tokens(int count, int seed)
    {
        var random = new Random(seed);
        return [.. Enumerable.Range(0, count).Select(_ => random.Next(Vocabulary))];
    }
}
