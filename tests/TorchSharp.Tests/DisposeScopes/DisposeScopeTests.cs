using static TorchSharp.torch;

namespace TorchSharp.Tests.DisposeScopes;

public class DisposeScopeTests
{
    [Fact]
    public void TensorsLiveAsLongAsTheInnermostScope()
    {
        Tensor inner, outer;
        using (NewDisposeScope())
        {
            outer = zeros(1);
            using (NewDisposeScope())
                inner = zeros(1);
            Assert.True(inner.IsInvalid);
            Assert.False(outer.IsInvalid);
        }
        Assert.True(outer.IsInvalid);
    }

    [Fact]
    public void WithoutAScopeATensorLivesUntilDisposed()
    {
        var tensor = zeros(1);
        Assert.Null(CurrentDisposeScope);
        Assert.False(tensor.IsInvalid);
        tensor.Dispose();
        tensor.Dispose();
        Assert.True(tensor.IsInvalid);
        Assert.Equal("[disposed]", tensor.ToString());
        Assert.Throws<InvalidOperationException>(() => tensor.add(1));
    }

    [Fact]
    public void MovingToTheOuterScopeKeepsATensor()
    {
        using var outer = NewDisposeScope();
        Tensor kept, lost;
        using (var inner = NewDisposeScope())
        {
            (kept, lost) = (ones(2), ones(2));
            Assert.Equal(2, inner.DisposablesCount);
            Assert.Same(kept, inner.MoveToOuter(kept));
            Assert.False(inner.Contains(kept));
            Assert.True(outer.Contains(kept));
        }
        Assert.False(kept.IsInvalid);
        Assert.True(lost.IsInvalid);
    }

    [Fact]
    public void MovingOutOfTheOutermostScopeDetaches()
    {
        Tensor tensor;
        using (NewDisposeScope())
            tensor = zeros(1).MoveToOuterDisposeScope();
        Assert.False(tensor.IsInvalid);
        tensor.Dispose();
    }

    [Fact]
    public void AttachTakesATensorFromItsScope()
    {
        using var first = NewDisposeScope();
        var tensor = zeros(1);
        using var second = NewDisposeScope();
        second.Attach(tensor);
        Assert.False(first.Contains(tensor));
        second.Dispose();
        Assert.True(tensor.IsInvalid);
    }

    [Fact]
    public void DisposeEverythingButKeepsWhatItIsGiven()
    {
        using var scope = NewDisposeScope();
        var tensors = Enumerable.Range(0, 5).Select(_ => zeros(1)).ToList();
        scope.DisposeEverythingBut(tensors[1], tensors[3]);
        Assert.Equal([true, false, true, false, true], tensors.Select(tensor => tensor.IsInvalid));
        Assert.Equal(2, scope.DisposablesCount);
    }

    [Fact]
    public void ATensorDisposedByHandLeavesItsScope()
    {
        using var scope = NewDisposeScope();
        var tensors = Enumerable.Range(0, 4).Select(_ => zeros(1)).ToList();
        tensors[1].Dispose();
        tensors[3].Dispose();
        Assert.Equal(2, scope.DisposablesCount);
        Assert.Equal([tensors[0], tensors[2]], scope.DisposablesView.Cast<Tensor>().OrderBy(tensors.IndexOf), ReferenceEqualityComparer.Instance);
    }

    [Fact]
    public void ScopesMayBeDisposedOutOfOrder()
    {
        var outer = NewDisposeScope();
        using var inner = NewDisposeScope();
        var tensor = zeros(1);
        outer.Dispose();
        Assert.False(tensor.IsInvalid);
        Assert.Same(inner, CurrentDisposeScope);
        inner.Dispose();
        Assert.Null(CurrentDisposeScope);
        Assert.Throws<ObjectDisposedException>(() => inner.DisposablesCount);
    }

    [Fact]
    public void OnlyTheResultOfAWrappedExpressionIsKept()
    {
        using var scope = NewDisposeScope();
        using var sum = WrappedTensorDisposeScope(() => ones(3).add(1).sum());
        Assert.Equal(6f, sum.item<float>());
        Assert.Equal(1, scope.DisposablesCount);
    }
}
