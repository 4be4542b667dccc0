using Uniscale.Engine.Initialization;
using Uniscale.Engine.Model;
using Uniscale.Engine.Parallel;
using Uniscale.Engine.Tests.Support;
using Uniscale.Programs;
using Uniscale.Torch;
using static TorchSharp.torch;

namespace Uniscale.Engine.Tests.Initialization;

public sealed class ParameterInitializerTests
{
    private static readonly ModelShape Shape = new(1, 192, 8, 2, 24, 352, Presets.Vocabulary, 16, true, false);

    [Fact]
    public void PhiloxGivesThePublishedVectors()
    {
        // The known answers of Random123 for counter 0 and key 0.
        var (w0, w1, w2, w3) = Philox.Eight(0, 0);
        Assert.Equal((0x6627e8d5u, 0xe169c58du, 0xbc57ac4cu, 0x9b00dbd8u), (w0[0], w1[0], w2[0], w3[0]));
    }

    [Theory]
    [InlineData("layers.0.attention.wq.weight", 192, 192)]
    [InlineData("layers.0.attention.wk.weight", 48, 192)]
    [InlineData("layers.0.ffn.w2.weight", 192, 352)]
    [InlineData("head.output.weight", Presets.Vocabulary, 192)]
    public void EveryPartHasTheBitsOfTheWhole(string name, long rows, long columns)
    {
        using var scope = NewDisposeScope();
        var spec = new ParameterSpec(name, [rows, columns], new Initializer(0.02), Decay: true);
        var whole = Filled(spec, 1, 0, float32);
        for (int rank = 0; rank < 4; rank++)
        {
            var part = new ShardingPlan(Shape, 4, rank).Local(spec);
            var filled = Filled(spec, 4, rank, float32);
            Assert.True(ModelRun.Slice(filled, part.Extent).eq(ModelRun.Window(whole, part)).all().item<bool>());
            Assert.Equal(ModelRun.Slice(filled, part.Extent).abs().sum().item<float>(), filled.abs().sum().item<float>(), 1e-3f);
        }
    }

    [Fact]
    public void NumbersAreNormalAndDifferByNameAndSeed()
    {
        using var scope = NewDisposeScope();
        var spec = new ParameterSpec("a", [512, 1024], new Initializer(0.02), Decay: true);
        var values = Filled(spec, 1, 0, float32) / 0.02;
        Assert.Equal(0, values.mean().item<float>(), 5e-3);
        Assert.Equal(1, values.square().mean().item<float>(), 1e-2);
        Assert.Equal(3, values.pow(Scalars.Of(4)).mean().item<float>(), 5e-2);
        Assert.Equal(0.0455, values.abs().gt(Scalars.Of(2)).to(float32).mean().item<float>(), 2e-3);
        var other = Filled(spec with { Name = "b" }, 1, 0, float32) / 0.02;
        Assert.Equal(0, (values * other).mean().item<float>(), 5e-3);
        Assert.Equal(0, (values * (Filled(spec, 1, 0, float32, seed: 8) / 0.02)).mean().item<float>(), 5e-3);
    }

    [Fact]
    public void Bf16IsTheRoundedFp32()
    {
        using var scope = NewDisposeScope();
        var spec = new ParameterSpec("a", [33, 70], new Initializer(0.02), Decay: true);
        Assert.True(Filled(spec, 1, 0, bfloat16).eq(Filled(spec, 1, 0, float32).to(bfloat16)).all().item<bool>());
    }

    [Fact]
    public void ResidualMatricesAreScaledByDepth()
    {
        var blocks = Transformer.Blocks(Presets.Small("llama"), Presets.Vocabulary);
        double StdOf(string name) => blocks[1].Parameters.Single(p => p.Name == name).Initializer.Std;
        Assert.Equal(0.02, StdOf("layers.0.ffn.w1.weight"));
        Assert.Equal(0.02 / Math.Sqrt(4), StdOf("layers.0.ffn.w2.weight"), 1e-12);
        Assert.Equal(0.02 / Math.Sqrt(4), StdOf("layers.0.attention.wo.weight"), 1e-12);
    }

    private static Tensor Filled(ParameterSpec spec, int size, int rank, ScalarType type, long seed = 7)
    {
        var part = new ShardingPlan(Shape, size, rank).Local(spec);
        var target = ones(part.Shape, type);
        ParameterInitializer.Fill(target, part, seed);
        return target;
    }
}
