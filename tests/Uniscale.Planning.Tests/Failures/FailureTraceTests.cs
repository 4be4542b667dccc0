using Uniscale.Configuration;
using Uniscale.Planning.Failures;

namespace Uniscale.Planning.Tests.Failures;

public sealed class FailureTraceTests : IDisposable
{
    private readonly string _file = Path.GetTempFileName();

    public void Dispose() => File.Delete(_file);

    [Fact]
    public void Faults_of_the_jobs_nodes_are_replayed()
    {
        File.WriteAllText(
            _file,
            """
            [{"node_id": "a", "event_time": 1000, "event_type": "fault_start", "fault_type": {"Level": "1"}},
             {"node_id": "b", "event_time": 1500, "event_type": "fault_start", "fault_type": {"Level": "1"}},
             {"node_id": "a", "event_time": 1600, "event_type": "fault_end", "fault_type": {"Level": "1"}},
             {"node_id": "c", "event_time": 1700, "event_type": "fault_start", "fault_type": {"Level": "1"}}]
            """
        );
        var trace = FailureTrace.Load(_file, 2);
        Assert.Equal((2, 700), (trace.Count, trace.Seconds));
        Assert.Equal(new Failure(500, 1), trace.Next(0));
        Assert.Equal(double.PositiveInfinity, trace.Next(500).At);
        Assert.Contains("has 3 nodes but the job needs 4", Assert.Throws<UserErrorException>(() => FailureTrace.Load(_file, 4)).Message);
    }

    [Fact]
    public void What_is_no_trace_is_refused()
    {
        File.WriteAllText(_file, """[{"node": 1}]""");
        Assert.Contains("is no failure trace", Assert.Throws<UserErrorException>(() => FailureTrace.Load(_file, 1)).Message);
    }
}
