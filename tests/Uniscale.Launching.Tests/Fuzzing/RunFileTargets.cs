using Uniscale.Configuration;
using Uniscale.Fuzzing;
using Uniscale.Launching.Processes;
using Uniscale.Launching.Supervision;

namespace Uniscale.Launching.Tests.Fuzzing;

/// <summary>Any bytes in a run's files are a state of the run or one sentence.</summary>
public sealed class RunFileTargets : IDisposable
{
    private readonly string _run = Directory.CreateTempSubdirectory("uniscale-fuzz-").FullName;

    public RunFileTargets() => Directory.CreateDirectory(In("launch"));

    public void Dispose() => Directory.Delete(_run, recursive: true);

    private string In(string path) => Path.Combine(_run, path);

    internal void Metrics(byte[] input)
    {
        File.WriteAllBytes(In("metrics.jsonl"), input);
        OneSentence(() => RunStatus.Read(_run, DateTimeOffset.UtcNow));
    }

    internal void Events(byte[] input)
    {
        File.WriteAllBytes(In("launch/events.jsonl"), input);
        OneSentence(() => RunStatus.Read(_run, DateTimeOffset.UtcNow));
    }

    internal void Beat(byte[] input)
    {
        File.WriteAllBytes(In("launch/rank-00001.beat"), input);
        OneSentence(() => Assert.InRange(Heartbeat.ReadAll(In("launch")).Count, 0, 1));
    }

    internal void Hosts(byte[] input)
    {
        File.WriteAllBytes(In("hosts"), input);
        OneSentence(() => HostFile.Read(In("hosts")).SlotsOf(share: 1));
    }

    [Fact]
    public void MetricsFiles() => Corpus.Try(Metrics, "metrics", mutants: 3000);

    [Fact]
    public void EventLogs() => Corpus.Try(Events, "events", mutants: 3000);

    [Fact]
    public void Heartbeats() => Corpus.Try(Beat, "beat", mutants: 3000);

    [Fact]
    public void HostFiles() => Corpus.Try(Hosts, "hosts", mutants: 3000);

    private static void OneSentence(Action read)
    {
        try
        {
            read();
        }
        catch (UserErrorException refused)
        {
            Assert.DoesNotContain('\n', refused.Message);
        }
    }
}
