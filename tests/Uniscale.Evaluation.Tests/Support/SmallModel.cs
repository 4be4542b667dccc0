using Uniscale.Checkpoints;
using Uniscale.Checkpoints.Catalog;
using Uniscale.Checkpoints.Loading;
using Uniscale.Collectives;
using Uniscale.Collectives.InProcess;
using Uniscale.Configuration;
using Uniscale.Engine.Initialization;
using Uniscale.Engine.Model;
using Uniscale.Engine.Parallel;
using Uniscale.Engine.Tests.Support;
using Uniscale.Evaluation.Inference;
using Uniscale.Programs;
using Uniscale.Torch;
using Uniscale.Training.Feeding;
using Uniscale.Training.Runtime;
using static TorchSharp.torch;

namespace Uniscale.Evaluation.Tests.Support;

/// <summary>An untrained model in the memory of a trainer, whose weights are large enough to tell tokens apart.</summary>
internal static class SmallModel
{
    public const int Vocabulary = 97;

    public static ModelSection Shape { get; } =
        new()
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
        var configuration = ConfigurationLoader
            .Parse(
                $$"""
                batch: { global: 4, micro: 1 }
                train: { steps: 1, threads: 1 }
                parallel: { {{parallel}} }
                """
            )
            .Value with
        {
            Model = shape ?? Shape,
        };
        return Ranks.Run(
            ranks,
            world =>
            {
                using var runtime = RankRuntime.Create(
                    configuration,
                    world,
                    new SyntheticSource(configuration, Vocabulary),
                    2400,
                    Vocabulary
                );
                using var model = InferenceModel.Of(runtime.Model, runtime.Specification, configuration.Model);
                return use(model, world);
            }
        );
    }

    /// <summary>The same on one rank.</summary>
    public static T On<T>(Func<InferenceModel, T> use) => On("tensor: 1", 1, (model, _) => use(model))[0];

    /// <summary>The weights of an untrained model, from a checkpoint.</summary>
    public static TrainedModel Trained(ModelSection shape)
    {
        string folder = Directory.CreateTempSubdirectory("uniscale-small-model-").FullName;
        try
        {
            Save(shape, folder);
            return TrainedModel.Load(shape, shape.Vocabulary, CheckpointReader.Open(CheckpointCatalog.Find(folder)));
        }
        finally
        {
            Directory.Delete(folder, recursive: true);
        }
    }

    /// <summary>Saves an untrained model as step 1.</summary>
    public static void Save(ModelSection shape, string folder)
    {
        using var scope = NewDisposeScope();
        var plan = new ShardingPlan(ModelShapes.Of(shape, shape.Vocabulary));
        var slices = new List<StateSlice>();
        foreach (var spec in Transformer.Blocks(shape, shape.Vocabulary).SelectMany(block => block.Parameters))
        {
            var tensor = empty(spec.Shape, float32);
            ParameterInitializer.Fill(tensor, plan.Local(spec), seed: 1);
            slices.Add(
                new StateSlice(
                    spec.Name,
                    ElementType.Float32,
                    spec.Shape,
                    new long[spec.Shape.Length],
                    spec.Shape,
                    TensorMemory.DataPointer(tensor)
                )
            );
        }
        using var world = InProcessWorld.Create(1)[0];
        using var store = new CheckpointStore(folder, world);
        Assert.Equal(
            SaveStatus.Durable,
            store
                .Save(
                    new CheckpointState
                    {
                        Step = 1,
                        ConsumedTokens = 8,
                        Slices = slices,
                    }
                )
                .Status
        );
    }

    /// <summary>Tokens that look like chance.</summary>
    public static int[] Tokens(int count, int seed)
    {
        var random = new Random(seed);
        return [.. Enumerable.Range(0, count).Select(_ => random.Next(Vocabulary))];
    }
}
