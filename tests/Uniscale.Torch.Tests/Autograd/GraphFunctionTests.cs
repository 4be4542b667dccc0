using System.Diagnostics;
using System.Runtime.InteropServices;
using Uniscale.Torch.Autograd;
using static TorchSharp.torch;

namespace Uniscale.Torch.Tests.Autograd;

[Collection("live handles are counted for the whole process")]
public sealed class GraphFunctionTests
{
    [Fact]
    public void GradientsAreThoseOfBackwardAndUnusedOnesAreNull()
    {
        using var scope = NewDisposeScope();
        var (x, unused) = (Leaf(3), Leaf(2));
        var y = new Product(2).Apply(x.exp(), Leaf(3));
        var gradients = Gradients.Of(y.sum(), ones([]), [x, unused]);
        Assert.Equal(x.exp().mul(Scalars.Of(2)).data<float>().ToArray(), gradients[0]!.data<float>().ToArray());
        Assert.Null(gradients[1]);
        Assert.Null(x.grad);
    }

    [Fact]
    public void AnAbsentGradientOfAnOutputIsZero()
    {
        using var scope = NewDisposeScope();
        var x = Leaf(3);
        var outputs = new Twice().Apply(x);
        Assert.Equal([1f, 1, 1], Gradients.Of(outputs[1].sum(), ones([]), [x])[0]!.data<float>().ToArray());
    }

    [Fact]
    public void WhatABackwardThrowsReachesTheCallerAsItIsAndTheNextBackwardWorks()
    {
        using var scope = NewDisposeScope();
        var x = Leaf(3);
        var planted = new InvalidDataException("planted");
        var y = new Product(1).Apply(new Product(1) { Failure = planted }.Apply(x, x), x);
        Assert.Same(planted, Assert.Throws<InvalidDataException>(() => Gradients.Of(y.sum(), ones([]), [x])));
        Assert.NotNull(Gradients.Of(new Product(1).Apply(x, x).sum(), ones([]), [x])[0]);
    }

    [Fact]
    public void AnErrorOfLibtorchInsideBackwardIsAnException()
    {
        using var scope = NewDisposeScope();
        var x = Leaf(3);
        var y = new Product(1) { GradientShape = [7] }.Apply(x.exp(), x);
        var failure = Assert.Throws<ExternalException>(() => Gradients.Of(y.sum(), ones([]), [x]));
        Assert.Contains("shape", failure.Message.Split('\n')[0]);
    }

    [Fact]
    public void AnOutputGradientThatDoesNotFitIsAnException()
    {
        using var scope = NewDisposeScope();
        var x = Leaf(3);
        Assert.Throws<ExternalException>(() => Gradients.Of(x.exp(), ones(4), [x]));
    }

    [Fact]
    public void ASecondBackwardIsRefused()
    {
        using var scope = NewDisposeScope();
        var x = Leaf(3);
        var y = new Product(1).Apply(x, x);
        var sum = y + 1;
        Gradients.Of(sum, ones(3), [x]);
        Assert.Throws<InvalidOperationException>(() => Gradients.Of(y + 1, ones(3), [x]));
    }

    [Fact]
    public void NothingIsLeftAliveAndWhatIsSavedDiesWithTheGraph()
    {
        long before = Tensor.TotalCount;
        for (int i = 0; i < 3; i++)
        {
            using var scope = NewDisposeScope();
            var x = Leaf(3);
            Gradients.Of(new Product(1).Apply(new Twice().Apply(x)[1], x).sum(), ones([]), [x]);
            new Product(1).Apply(x, x);
        }
        Assert.Equal(before, Tensor.TotalCount);
    }

    [Fact]
    public void NodesSurviveCollectionsOfGarbage()
    {
        using var scope = NewDisposeScope();
        var x = Leaf(3);
        var y = x;
        for (int i = 0; i < 50; i++)
            y = new Product(1).Apply(y, Leaf(3));
        GC.Collect();
        GC.WaitForPendingFinalizers();
        GC.Collect();
        Assert.Equal([1f, 1, 1], Gradients.Of(y.sum(), ones([]), [x])[0]!.data<float>().ToArray());
    }

    [Fact]
    public void TheListenerHearsForwardAndBackwardOfItsThread()
    {
        using var scope = NewDisposeScope();
        var heard = new List<(string Name, long Start, long End)>();
        long before = Stopwatch.GetTimestamp();
        GraphFunction.Listener = (name, start, end) => heard.Add((name, start, end));
        try
        {
            var x = Leaf(3);
            Gradients.Of(new Product(1).Apply(x, x).sum(), ones([]), [x]);
        }
        finally
        {
            GraphFunction.Listener = null;
        }
        Assert.Equal(["Product forward", "Product backward"], heard.Select(entry => entry.Name));
        Assert.All(heard, entry => Assert.True(before <= entry.Start && entry.Start <= entry.End));
    }

    [Fact]
    public void ATensorThatDoesNotFitIntoMemoryIsAnException()
    {
        Assert.Throws<OutOfMemoryException>(() => TensorMemory.Empty([1L << 50], float32));
        Assert.Throws<ExternalException>(() => empty([1L << 50], float32));
    }

    /// <summary>As libtorch does for a device: the thread that asked waits, another runs the nodes.</summary>
    [Fact]
    public void WhatANodeThrowsOnAThreadOfLibtorchReachesWhoAsked()
    {
        long before = Tensor.TotalCount;
        using (NewDisposeScope())
        {
            var x = Leaf(3);
            var planted = new InvalidDataException("planted");
            var inner = new Product(1) { Failure = planted }
                .Apply(new Product(1).Apply(x.exp(), x), x)
                .sum();
            var y = new Elsewhere(inner).Apply(x);
            Assert.Same(planted, Assert.Throws<InvalidDataException>(() => Gradients.Of(y.sum(), ones([]), [x])));
        }
        Assert.Equal(before, Tensor.TotalCount);
    }

    [Fact]
    public void TheListenerHearsWhatRunsOnAThreadOfLibtorch()
    {
        using var scope = NewDisposeScope();
        var heard = new List<string>();
        GraphFunction.Listener = (name, _, _) => heard.Add(name);
        try
        {
            var x = Leaf(3);
            var inner = new Product(1).Apply(x, x).sum();
            Gradients.Of(new Elsewhere(inner).Apply(x).sum(), ones([]), [x]);
        }
        finally
        {
            GraphFunction.Listener = null;
        }
        Assert.Equal(["Product forward", "Elsewhere forward", "Product backward", "Elsewhere backward"], heard);
    }

    private static Tensor Leaf(long count) => ones(count).requires_grad_();

    /// <summary>factor · a, whatever the second input is.</summary>
    private sealed class Product(double factor) : GraphFunction
    {
        public Exception? Failure { get; init; }

        public long[]? GradientShape { get; init; }

        public Tensor Apply(Tensor a, Tensor b) => Record(a, b)[0];

        protected override IReadOnlyList<Tensor> Forward(IReadOnlyList<Tensor> inputs, List<Tensor> saved)
        {
            saved.Add(inputs[0]);
            return [inputs[0] * factor];
        }

        protected override IReadOnlyList<Tensor?> Backward(IReadOnlyList<Tensor> gradients, IReadOnlyList<Tensor> saved) =>
            Failure is not null ? throw Failure : [GradientShape is { } shape ? ones(shape) : gradients[0] * factor, null];
    }

    /// <summary>Its input and twice its input; the gradient of the second counts for one.</summary>
    private sealed class Twice : GraphFunction
    {
        public IReadOnlyList<Tensor> Apply(Tensor x) => Record(x);

        protected override IReadOnlyList<Tensor> Forward(IReadOnlyList<Tensor> inputs, List<Tensor> saved)
        {
            var doubled = inputs[0] * 2;
            saved.Add(doubled);
            return [inputs[0].detach(), doubled];
        }

        protected override IReadOnlyList<Tensor?> Backward(IReadOnlyList<Tensor> gradients, IReadOnlyList<Tensor> saved) =>
            [gradients[0] + gradients[1] * saved[0] / 2];
    }

    /// <summary>The identity, whose backward has another thread go backward through a graph of this one.</summary>
    private sealed class Elsewhere(Tensor output) : GraphFunction
    {
        public Tensor Apply(Tensor x) => Record(x)[0];

        protected override IReadOnlyList<Tensor> Forward(IReadOnlyList<Tensor> inputs, List<Tensor> saved) => [inputs[0].detach()];

        protected override IReadOnlyList<Tensor?> Backward(IReadOnlyList<Tensor> gradients, IReadOnlyList<Tensor> saved)
        {
            var thread = new Thread(() => output.backward());
            thread.Start();
            thread.Join();
            return [gradients[0]];
        }
    }
}
