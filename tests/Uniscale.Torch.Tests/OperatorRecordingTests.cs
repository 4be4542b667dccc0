using System.Diagnostics;
using System.Runtime.InteropServices;
using static TorchSharp.torch;

namespace Uniscale.Torch.Tests;

public sealed class OperatorRecordingTests
{
    [Fact]
    public void Operators_of_backward_are_seen_and_times_are_those_of_the_stopwatch()
    {
        using var scope = NewDisposeScope();
        var x = rand([8, 8], requires_grad: true);
        long before = Stopwatch.GetTimestamp();
        OperatorRecording.Start();
        var y = x.mm(x).sum();
        autograd.grad([y], [x]);
        var calls = OperatorRecording.Stop();
        long after = Stopwatch.GetTimestamp();
        // One forward, one for each operand backward.
        Assert.Equal(3, calls.Count(call => call.Name == "aten::mm"));
        Assert.All(calls, call => Assert.True(before <= call.Start && call.Start <= call.End && call.End <= after, call.ToString()));
        Assert.Contains(calls, call => call.Depth == 0);
    }

    [Fact]
    public void A_thread_has_one_recording_and_starts_each_anew()
    {
        OperatorRecording.Start();
        Assert.Throws<ExternalException>(OperatorRecording.Start);
        OperatorRecording.Stop();
        Assert.Throws<ExternalException>(() => OperatorRecording.Stop());
        OperatorRecording.Start();
        Assert.Empty(OperatorRecording.Stop());
    }
}
