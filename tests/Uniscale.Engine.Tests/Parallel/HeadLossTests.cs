using Uniscale.Engine.Model;
using Uniscale.Engine.Parallel;
using Uniscale.Kernels;
using Uniscale.Kernels.Tests.Support;
using Uniscale.Torch;
using static TorchSharp.torch;

namespace Uniscale.Engine.Tests.Parallel;

public sealed class HeadLossTests
{
    /// <summary>So many that the logits of the tokens come in several chunks.</summary>
    private const long Vocabulary = 1 << 20,
        Tokens = 17,
        Padding = 3;

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void ChunksAddUpToTheWhole(bool sink)
    {
        using var scope = NewDisposeScope();
        var x = randn([1, Tokens, 4]).requires_grad_();
        var weight = randn([Vocabulary + Padding, 4]).mul_(Scalars.Of(0.1)).requires_grad_();
        var targets = randint(0, Vocabulary, [1, Tokens], dtype: int64);
        targets[0, 5] = -100;
        var context = new MicrobatchContext
        {
            Index = 0,
            Tokens = targets,
            Targets = targets,
            LossScale = 0.25,
        };
        // In double precision: single-precision sums of libtorch are off by more than the bound themselves.
        var (x64, weight64) = (x.detach().to(float64).requires_grad_(), weight.detach().to(float64).requires_grad_());
        var expected =
            nn.functional.cross_entropy(x64[0].mm(weight64.narrow(0, 0, Vocabulary).t()), targets[0], reduction: nn.Reduction.Sum) * 0.25;
        var wanted = autograd.grad([expected], [x64, weight64]);

        var ops = ParallelOps.Local();
        var sum = empty(weight.shape, float32).fill_(Scalars.Of(float.NaN));
        if (sink)
            ops.Sink.Register(weight, () => new GradientSum(sum, IsEmpty: true));
        var loss = ops.HeadLoss(x, weight, Vocabulary, context);
        var got = autograd.grad([loss], [x, weight], allow_unused: true);

        Closeness.AssertClose("loss", loss, expected, 1e-6);
        Closeness.AssertClose("input gradient", got[0], wanted[0], 1e-5);
        Closeness.AssertClose("weight gradient", sink ? sum : got[1], wanted[1], 1e-5);
    }

    [Fact]
    public void WithoutGradientsNothingIsSummed()
    {
        using var scope = NewDisposeScope();
        using var noGradients = no_grad();
        var (x, weight) = (randn([1, 6, 4]), randn([10, 4]));
        var targets = randint(0, 10, [1, 6], dtype: int64);
        var ops = ParallelOps.Local();
        var sum = zeros(weight.shape, float32);
        ops.Sink.Register(weight, () => sum);
        ops.HeadLoss(
            x,
            weight,
            10,
            new MicrobatchContext
            {
                Index = 0,
                Tokens = targets,
                Targets = targets,
                LossScale = 1,
            }
        );
        Assert.Equal(0, sum.abs().sum().item<float>());
    }
}
