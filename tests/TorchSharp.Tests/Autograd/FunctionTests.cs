using System.Runtime.InteropServices;
using static TorchSharp.torch;

namespace TorchSharp.Tests.Autograd;

public class FunctionTests
{
    [Fact]
    public void LinearGradientsEqualLibtorchs()
    {
        using var scope = NewDisposeScope();
        var generator = new Generator(1);
        var x = randn(3, 4, generator: generator, requires_grad: true);
        var weight = randn(5, 4, generator: generator, requires_grad: true);
        var upstream = randn(3, 5, generator: generator);

        var ours = autograd.grad([LinearFunction.apply(x, weight)], [x, weight], [upstream]);
        var theirs = autograd.grad([nn.functional.linear(x, weight)], [x, weight], [upstream]);

        Assert.True(ours[0].allclose(theirs[0]));
        Assert.True(ours[1].allclose(theirs[1]));
    }

    [Fact]
    public void FunctionsComposeWithOperatorsAndWithEachOther()
    {
        using var scope = NewDisposeScope();
        var x = tensor(new[] { 0.5, -1.0 }, requires_grad: true);
        ScaleFunction.apply(ScaleFunction.apply(x.exp(), 3.0), 2.0).sum().backward();
        Assert.True(x.grad!.allclose(x.detach().exp().mul(6)));
    }

    [Fact]
    public void SeveralOutputsHaveSeveralGradients()
    {
        using var scope = NewDisposeScope();
        var x = tensor(new[] { 1.0, 2.0, 3.0 }, requires_grad: true);
        var outputs = SinCosFunction.apply(x);
        var gradient = autograd.grad([outputs[0].sum() + (outputs[1] * 2).sum()], [x])[0];
        Assert.True(gradient.allclose(x.detach().cos().sub(x.detach().sin().mul(2))));
    }

    [Fact]
    public void AnOutputThatIsNotUsedHasAGradientOfZeros()
    {
        using var scope = NewDisposeScope();
        var x = tensor(new[] { 1.0, 2.0, 3.0 }, requires_grad: true);
        var gradient = autograd.grad([SinCosFunction.apply(x)[1].sum()], [x])[0];
        Assert.True(gradient.allclose(x.detach().sin().neg()));
    }

    [Fact]
    public void WithoutGradientsNothingIsRecorded()
    {
        using var scope = NewDisposeScope();
        var x = ones(2, requires_grad: true);
        using (no_grad())
            Assert.False(ScaleFunction.apply(x, 2.0).requires_grad);
        Assert.False(ScaleFunction.apply(x.detach(), 2.0).requires_grad);
        Assert.True(ScaleFunction.apply(x, 2.0).requires_grad);
    }

    [Fact]
    public void ChangingASavedTensorIsAnError()
    {
        using var scope = NewDisposeScope();
        var x = ones(2, 2, requires_grad: true);
        var weight = ones(2, 2);
        var y = LinearFunction.apply(x, weight);
        weight.add_(1);
        var failure = Assert.Throws<ExternalException>(() => y.sum().backward());
        Assert.Contains("modified by an inplace operation", failure.Message);
    }

    [Fact]
    public void ASecondBackwardThroughAReleasedGraphIsAnError()
    {
        using var scope = NewDisposeScope();
        var x = ones(2, 2, requires_grad: true);
        var y = LinearFunction.apply(x, ones(2, 2)).sum();
        y.backward();
        var failure = Assert.Throws<ExternalException>(() => y.backward());
        Assert.Contains("backward through the graph a second time", failure.Message);
    }

    [Fact]
    public void AnExceptionInBackwardReachesTheCallerAsItIs()
    {
        using var scope = NewDisposeScope();
        var x = ones(2, requires_grad: true);
        var failure = Assert.Throws<TimeoutException>(() => FailingFunction.apply(x).sum().backward());
        Assert.Equal("rank 3 did not answer", failure.Message);
        Assert.Contains(nameof(FailingFunction), failure.StackTrace);
    }

    [Fact]
    public void AWrongNumberOfGradientsIsNamed()
    {
        using var scope = NewDisposeScope();
        var x = ones(2, requires_grad: true);
        var failure = Assert.Throws<InvalidOperationException>(() => ForgetfulFunction.apply(x, 1.0).sum().backward());
        Assert.Contains("ForgetfulFunction returned an incorrect number of gradients (expected 2, got 1)", failure.Message);
    }

    [Fact]
    public void AnInputChangedInPlaceKeepsItsPlaceInTheGraph()
    {
        using var scope = NewDisposeScope();
        var x = tensor(new[] { 1.0, 2.0 }, requires_grad: true);
        var copy = x.mul(1);
        DoubleInPlaceFunction.apply(copy);
        copy.sum().backward();
        Assert.True(x.grad!.allclose(tensor(new[] { 2.0, 2.0 })));
    }

    [Fact]
    public void ThreadsRunBackwardOnThemselvesAtTheSameTime()
    {
        var failures = new List<string>();
        var threads = Enumerable.Range(0, 4).Select(rank => new Thread(() =>
        {
            for (var round = 0; round < 20; round++)
            {
                using var scope = NewDisposeScope();
                var x = full(16, 16, rank + 1.0, requires_grad: true);
                ThreadFunction.apply(x).mul(round).sum().backward();
                var expected = 3.0 * round;
                if (!x.grad!.allclose(full_like(x, expected)) || ThreadFunction.LastBackwardThread.Value != Environment.CurrentManagedThreadId)
                    lock (failures)
                        failures.Add($"rank {rank}, round {round}");
            }
        })).ToList();
        threads.ForEach(thread => thread.Start());
        threads.ForEach(thread => thread.Join());
        Assert.Empty(failures);
    }

    [Fact]
    public void ReleasingTheGraphReleasesTheContext()
    {
        var released = CountedFunction.Run();
        for (var i = 0; i < 10 && released.IsAlive; i++)
        {
            GC.Collect();
            GC.WaitForPendingFinalizers();
        }
        Assert.False(released.IsAlive);
    }
}
