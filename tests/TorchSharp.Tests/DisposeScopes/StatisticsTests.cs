using static TorchSharp.torch;

namespace TorchSharp.Tests.DisposeScopes;

public class StatisticsTests
{
    [Fact]
    public void CountsTellWhereTensorsWereMadeAndWentTo() => OnOwnThread(() =>
    {
        var statistics = DisposeScopeManager.Statistics;
        var outside = zeros(1);
        using (var scope = NewDisposeScope())
        {
            zeros(1);
            zeros(1).DetachFromDisposeScope().Dispose();
            scope.Attach(outside);
        }
        Assert.Equal(1, statistics.CreatedOutsideScopeCount);
        Assert.Equal(2, statistics.CreatedInScopeCount);
        Assert.Equal(1, statistics.DetachedFromScopeCount);
        Assert.Equal(1, statistics.AttachedToScopeCount);
        Assert.Equal(2, statistics.DisposedInScopeCount);
        Assert.Equal(1, statistics.DisposedOutsideScopeCount);
        Assert.Equal(0, statistics.ThreadTotalLiveCount);
        Assert.Contains("ThreadTotalLiveCount: 0;", statistics.ToString());
        statistics.Reset();
        Assert.Equal(0, statistics.CreatedInScopeCount);
    });

    [Fact]
    public void EveryThreadCountsItsOwn() => OnOwnThread(() =>
    {
        using var mine = zeros(1);
        OnOwnThread(() =>
        {
            Assert.Equal(0, DisposeScopeManager.Statistics.ThreadTotalLiveCount);
            using var scope = NewDisposeScope();
            zeros(1);
            Assert.Equal(1, DisposeScopeManager.Statistics.ThreadTotalLiveCount);
        });
        Assert.Equal(1, DisposeScopeManager.Statistics.ThreadTotalLiveCount);
        Assert.Null(CurrentDisposeScope);
    });

    [Fact]
    public void AMixedWorkloadLeavesNoTensorBehind() => OnOwnThread(() =>
    {
        Step();
        var before = DisposeScopeManager.Statistics.ThreadTotalLiveCount;
        for (var i = 0; i < 3; i++)
            Step();
        Assert.Equal(before, DisposeScopeManager.Statistics.ThreadTotalLiveCount);
    });

    private static void Step()
    {
        using var scope = NewDisposeScope();
        var weight = randn(8, 8, requires_grad: true);
        var input = randn([2, 3, 8]);
        var hidden = nn.functional.gelu(nn.functional.layer_norm(input.matmul(weight), [8]));
        var parts = hidden.chunk(2, dim: -1);
        var loss = nn.functional.cross_entropy(cat(parts, dim: -1).view(-1, 8), tensor(new long[] { 1, 2, 3, 4, 5, 6 }));
        var gradient = autograd.grad([loss], [weight])[0];
        using (no_grad())
            weight.add_(gradient, -0.1);
        Assert.Throws<System.Runtime.InteropServices.ExternalException>(() => weight.matmul(zeros(3)));
        var (values, indices) = hidden[0, .., 2..5].topk(2);
        Assert.Equal(values.shape, indices.shape);
    }

    private static void OnOwnThread(Action action)
    {
        Exception? failure = null;
        var thread = new Thread(() =>
        {
            try
            {
                action();
            }
            catch (Exception exception)
            {
                failure = exception;
            }
        });
        thread.Start();
        thread.Join();
        if (failure is not null)
            throw new InvalidOperationException(failure.Message, failure);
    }
}
