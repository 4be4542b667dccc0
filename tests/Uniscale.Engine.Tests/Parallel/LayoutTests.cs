using Uniscale.Configuration;
using Uniscale.Engine.Model;
using Uniscale.Engine.Parallel;
using Uniscale.Engine.Parallel.Sequences;
using Uniscale.Engine.Tests.Goldens;
using Uniscale.Engine.Tests.Support;
using Uniscale.Kernels.Tests.Support;
using Uniscale.Programs;
using static TorchSharp.torch;

namespace Uniscale.Engine.Tests.Parallel;

/// <summary>Loss, logits and every gradient of tensor, sequence and context layouts against one rank.</summary>
public sealed class LayoutTests
{
    [Theory]
    [InlineData("gpt2", 2, false)]
    [InlineData("gpt2", 4, true)]
    [InlineData("llama", 2, true)]
    [InlineData("llama", 4, false)]
    [InlineData("internlm", 2, true)]
    [InlineData("internlm2", 2, false)]
    [InlineData("internlm2", 4, false)] // two key-value heads on four ranks
    [InlineData("internlm2", 4, true)]
    public void TensorParallelEqualsOneRank(string preset, int size, bool sequence) =>
        Compare(preset, new MeshShape(1, 1, 1, size), new ParallelSection { Tensor = size, Sequence = sequence }, float32, 1e-5);

    [Theory]
    [InlineData("gpt2", 2, ContextKind.Ring)]
    [InlineData("llama", 4, ContextKind.Ring)]
    [InlineData("internlm", 2, ContextKind.Ring)]
    [InlineData("internlm", 4, ContextKind.Ring)]
    [InlineData("internlm2", 2, ContextKind.Ring)]
    [InlineData("gpt2", 4, ContextKind.AllToAll)]
    [InlineData("internlm", 2, ContextKind.AllToAll)]
    [InlineData("internlm2", 4, ContextKind.AllToAll)]
    public void ContextParallelEqualsOneRank(string preset, int size, ContextKind method) =>
        Compare(preset, new MeshShape(1, 1, size, 1), new ParallelSection { Context = size, ContextMethod = method }, float32, 1e-5);

    [Theory]
    [InlineData("internlm", ContextKind.Ring)]
    [InlineData("internlm2", ContextKind.AllToAll)]
    public void TensorAndContextTogetherEqualOneRank(string preset, ContextKind method) =>
        Compare(
            preset,
            new MeshShape(1, 1, 2, 2),
            new ParallelSection
            {
                Tensor = 2,
                Context = 2,
                Sequence = true,
                ContextMethod = method,
            },
            float32,
            1e-5
        );

    [Fact]
    public void SelectiveRecomputationUnderSequenceParallelismEqualsOneRank() =>
        Compare(
            "internlm2",
            new MeshShape(1, 1, 2, 2),
            new ParallelSection
            {
                Tensor = 2,
                Context = 2,
                Sequence = true,
                Recompute = RecomputeKind.Selective,
            },
            float32,
            1e-5
        );

    [Fact]
    public void Bf16LayoutStaysNearOneRank() =>
        Compare(
            "internlm2",
            new MeshShape(1, 1, 2, 2),
            new ParallelSection
            {
                Tensor = 2,
                Context = 2,
                Sequence = true,
            },
            bfloat16,
            4e-2
        );

    private static void Compare(string preset, MeshShape mesh, ParallelSection layout, ScalarType type, double bound)
    {
        using var scope = NewDisposeScope();
        using var golden = new GoldenFile(preset);
        var model = Presets.Small(preset);
        var shape = ModelShapes.Of(model, Presets.Vocabulary);
        var whole = Model.GoldenTests.Context(golden, model.DocumentMask);
        var options = new RunOptions { Type = type, Sink = true };
        var expected = ModelRun.Execute(model, Weights, whole, ParallelOps.Local(), new ShardingPlan(shape), options);

        var runs = Ranks.Run(
            mesh.Size,
            world =>
            {
                var place = mesh.CoordinateOf(world.Rank);
                var groups = ParallelGroups.Create(world, mesh, layout, shape.KvHeads);
                var plan = new ShardingPlan(shape, mesh.Tensor, place.Tensor);
                using var rankScope = NewDisposeScope();
                var run = ModelRun.Execute(
                    model,
                    Weights,
                    Part(whole, mesh.Context, place.Context),
                    new ParallelOps(groups, selective: layout.Recompute == RecomputeKind.Selective),
                    plan,
                    options
                );
                run.Logits.DetachFromDisposeScope();
                foreach (var gradient in run.Gradients.Values)
                    gradient.DetachFromDisposeScope();
                return run;
            }
        );

        for (int tensor = 0; tensor < mesh.Tensor; tensor++)
        {
            var sharing = runs.Where((_, rank) => mesh.CoordinateOf(rank).Tensor == tensor).ToList();
            Assert.InRange(sharing.Sum(r => r.Loss), expected.Loss * (1 - bound), expected.Loss * (1 + bound));
            Closeness.AssertGradients([.. sharing[0].Parts.Select(Gradient)], bound);

            (string, Tensor, Tensor) Gradient(LocalParameter part)
            {
                var sum = sharing.Select(r => r.Gradients[part.Spec.Name]).Aggregate((a, b) => a + b);
                return (
                    $"{part.Spec.Name} of rank {tensor}",
                    ModelRun.Slice(sum, part.Extent),
                    ModelRun.Window(expected.Gradients[part.Spec.Name], part)
                );
            }
        }
        for (int rank = 0; rank < mesh.Size; rank++)
        {
            int context = mesh.CoordinateOf(rank).Context;
            Closeness.AssertClose("logits", runs[rank].Logits, ContextPartition.Select(expected.Logits, mesh.Context, context), bound);
        }

        Tensor Weights(string name) => golden[$"weight/{name}"];
    }

    private static MicrobatchContext Part(MicrobatchContext whole, int size, int rank) =>
        size == 1
            ? whole
            : whole with
            {
                Tokens = ContextPartition.Select(whole.Tokens, size, rank),
                Targets = ContextPartition.Select(whole.Targets!, size, rank),
                Positions = whole.Positions is { } positions ? ContextPartition.Select(positions, size, rank) : null,
                Documents = whole.Documents is { } documents ? ContextPartition.Select(documents, size, rank) : null,
            };
}
