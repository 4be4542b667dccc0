using TorchSharp;
using Uniscale.Engine.Model;
using Uniscale.Engine.Parallel;
using Uniscale.Engine.Tests.Goldens;
using Uniscale.Engine.Tests.Support;
using Uniscale.Kernels.Cpu;
using Uniscale.Kernels.Reference;
using Uniscale.Kernels.Tests.Support;
using Uniscale.Programs;
using Uniscale.Torch;
using static TorchSharp.torch;

namespace Uniscale.Engine.Tests.Model;

/// <summary>Logits, loss and every gradient against PyTorch's.</summary>
public sealed class GoldenTests
{
    /// <summary>Rounding of bf16 activations through two layers; PyTorch's own bf16 run stays within it too.</summary>
    private const double Bf16Bound = 3e-2;

    public static TheoryData<string, bool, bool> Runs()
    {
        var data = new TheoryData<string, bool, bool>();
        foreach (string preset in Presets.Names)
        {
            data.Add(preset, false, false);
            data.Add(preset, true, false);
            data.Add(preset, true, true);
        }
        return data;
    }

    [Theory]
    [MemberData(nameof(Runs))]
    public void Fp32AgreesWithPyTorch(string preset, bool sink, bool deferred)
    {
        using var scope = NewDisposeScope();
        using var golden = new GoldenFile(preset);
        var run = Run(preset, golden, new RunOptions { Sink = sink, Deferred = deferred });
        Check(golden, run, "fp32", bound: 1e-5);
    }

    [Theory]
    [InlineData("gpt2", false)]
    [InlineData("llama", false)]
    [InlineData("internlm", true)]
    [InlineData("internlm2", true)]
    public void Bf16StaysNearTheExactValues(string preset, bool sink)
    {
        using var scope = NewDisposeScope();
        using var golden = new GoldenFile(preset);
        var run = Run(preset, golden, new RunOptions { Type = bfloat16, Sink = sink });
        Check(golden, run, "fp32", Bf16Bound);
        Check(golden, run, "bf16", Bf16Bound);
    }

    [Theory]
    [InlineData("gpt2", false)]
    [InlineData("llama", true)]
    [InlineData("internlm", true)]
    [InlineData("internlm2", false)]
    public void NativeKernelsAgreeWithPyTorchToo(string preset, bool sink)
    {
        using var scope = NewDisposeScope();
        using var golden = new GoldenFile(preset);
        using var kernels = new NativeKernels(packWeights: true);
        Check(golden, Run(preset, golden, new RunOptions { Sink = sink }, ParallelOps.Local(kernels)), "fp32", bound: 1e-5);
        kernels.ParametersChanged();
        Check(golden, Run(preset, golden, new RunOptions { Type = bfloat16, Sink = sink }, ParallelOps.Local(kernels)), "fp32", Bf16Bound);
    }

    [Theory]
    [InlineData("gpt2", false)]
    [InlineData("internlm", true)]
    [InlineData("internlm2", true)]
    public void SelectiveRecomputationChangesNothing(string preset, bool plain)
    {
        using var scope = NewDisposeScope();
        using var golden = new GoldenFile(preset);
        var ops = ParallelOps.Local(plain ? TorchKernels.Instance : null, selective: true);
        var run = Run(preset, golden, new RunOptions { Sink = true, Deferred = true }, ops);
        Check(golden, run, "fp32", bound: 1e-5);
    }

    [Fact]
    public void ForwardAndBackwardLeaveNoTensorBehind()
    {
        using var golden = new GoldenFile("internlm2");
        long before = DisposeScopeManager.Statistics.ThreadTotalLiveCount;
        for (int i = 0; i < 2; i++)
        {
            using var scope = NewDisposeScope();
            Run("internlm2", golden, new RunOptions { Sink = true, Deferred = true });
        }
        Assert.Equal(before, DisposeScopeManager.Statistics.ThreadTotalLiveCount);
    }

    internal static MicrobatchContext Context(GoldenFile golden, bool documents) =>
        new()
        {
            Index = 0,
            Tokens = golden["tokens"],
            Targets = golden["targets"],
            Positions = documents ? golden["positions"] : null,
            Documents = documents ? golden["documents"] : null,
            LossScale = 1.0 / golden["targets"].ne(Scalars.Of(-100)).sum().item<long>(),
        };

    private static ModelRun Run(string preset, GoldenFile golden, RunOptions options, ParallelOps? ops = null)
    {
        var model = Presets.Small(preset);
        var plan = new ShardingPlan(ModelShapes.Of(model, Presets.Vocabulary));
        return ModelRun.Execute(
            model,
            name => golden[$"weight/{name}"],
            Context(golden, model.DocumentMask),
            ops ?? ParallelOps.Local(),
            plan,
            options
        );
    }

    private static void Check(GoldenFile golden, ModelRun run, string precision, double bound)
    {
        float loss = golden[$"{precision}/loss"].item<float>();
        Assert.InRange(run.Loss, loss * (1 - bound), loss * (1 + bound));
        Closeness.AssertClose("logits", run.Logits, golden[$"{precision}/logits"], bound);
        Closeness.AssertGradients([.. run.Gradients.Select(g => (g.Key, g.Value, golden[$"{precision}/gradient/{g.Key}"]))], bound);
    }
}
