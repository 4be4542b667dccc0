using Uniscale.Checkpoints;
using Uniscale.Checkpoints.Catalog;
using Uniscale.Checkpoints.Loading;
using Uniscale.Collectives;
using Uniscale.Collectives.InProcess;
using Uniscale.Configuration;
using Uniscale.Engine.Initialization;
using Uniscale.Engine.Model;
using Uniscale.Engine.Parallel;
using Uniscale.Evaluation.Inference;
using Uniscale.Programs;
using Uniscale.Torch;
using static TorchSharp.torch;
namespace Uniscale.Evaluation.Tests.Inference;

public sealed class TrainedModelTests : IDisposable
{
    private const int Vocabulary = 31;
    private static readonly ModelSection Shape = new() { Layers = 2, Hidden = 16, Heads = 2, Ffn = 32, Context = 8, InitStd = 0.5 };

    private readonly string _directory = Directory.CreateTempSubdirectory("uniscale-trained-model-").FullName;

    [Fact]
    public void EveryWayToAskGivesTheLogitsOfTheWholeSequence()
    {
        using var scope = NewDisposeScope();
        Save();
        using var model = TrainedModel.Load(Shape, Vocabulary, CheckpointReader.Open(CheckpointCatalog.Find(_directory)));
        using var reader = model.Reader();
        using var sequence = reader.NewSequence();
        int[] text = [3, 1, 4, 1, 5, 9, 2, 6, 5, 3, 5];
        for (int count = 1; count <= text.Length; count++)
            Check(text[..count]);
        Check([3, 1, 7, 2]); // another continuation of the same beginning
        Check([3, 1, 7, 2]); // the same again
        Check([8]);

        void Check(int[] tokens)
        {
            int[] window = tokens[Math.Max(0, tokens.Length - Shape.Context)..];
            float[] expected = TensorMemory.Elements<float>(model.Logits(window)[0][window.Length - 1].contiguous()).ToArray();
            sequence.Truncate(0);
            float[] actual = [];
            reader.Read([new(sequence, window)], (_, _, logits) => actual = logits.ToArray());
            for (int i = 0; i < Vocabulary; i++)
                Assert.Equal(expected[i], actual[i], 1e-4f);
        }
    }

    public void Dispose() => Directory.Delete(_directory, recursive: true);

    private void Save()
    {
        var plan = new ShardingPlan(ModelShapes.Of(Shape, Vocabulary));
        var slices = new List<StateSlice>();
        foreach (var spec in Transformer.Blocks(Shape, Vocabulary).SelectMany(block => block.Parameters))
        {
            var tensor = empty(spec.Shape, float32);
            ParameterInitializer.Fill(tensor, plan.Local(spec), seed: 1);
            slices.Add(new StateSlice(
                spec.Name, ElementType.Float32, spec.Shape, new long[spec.Shape.Length], spec.Shape, TensorMemory.DataPointer(tensor)));
        }
        using var world = InProcessWorld.Create(1)[0];
        using var store = new CheckpointStore(_directory, world);
        Assert.Equal(SaveStatus.Durable, store.Save(new CheckpointState { Step = 1, ConsumedTokens = 8, Slices = slices }).Status);
    }
}
