using System.Text.Json;
using Uniscale.Configuration;
using Uniscale.Launching.Processes;
using Uniscale.Telemetry;

namespace Uniscale.Alignment.Rounds;

/// <summary>A run that is a stage of a round: a process of its own, from its newest checkpoint to its end.</summary>
/// <param name="directory">Directory of the run.</param>
/// <param name="arguments">Arguments of this program.</param>
/// <param name="restarts">Times that it goes on after a failure.</param>
internal sealed class StageRun(string directory, IReadOnlyList<string> arguments, int restarts)
{
    private static readonly TimeSpan Poll = TimeSpan.FromMilliseconds(200);

    /// <summary>Takes the run to its end. Call it from a thread that outlives it.</summary>
    /// <param name="isStopped">Whether the run is to save and end.</param>
    /// <param name="say">Hears of failures.</param>
    /// <returns>False: it was stopped before.</returns>
    /// <exception cref="UserErrorException">Something of its input is wrong.</exception>
    /// <exception cref="StageException">It has failed too often.</exception>
    public bool Run(Func<bool> isStopped, Action<string> say)
    {
        int failures = 0;
        while (!isStopped())
        {
            using var child = new ChildRun(directory, arguments, new Dictionary<string, string>());
            while (child.End is null)
            {
                if (isStopped())
                    child.Stop();
                Thread.Sleep(Poll);
            }
            var end = child.End;
            if (end.Sentence is null)
                return HasFinished(directory);
            if (isStopped())
                return false;
            if (end.IsUserError)
                throw new UserErrorException(end.Sentence);
            if (++failures > restarts)
                throw new StageException($"The run in {directory} failed: {end.Sentence.TrimEnd('.')}. The same command goes on from it.");
            say($"The run in {directory} failed: {end.Sentence.TrimEnd('.')}. It goes on from its newest checkpoint.");
        }
        return false;
    }

    /// <summary>Whether a run has done and saved all its steps.</summary>
    private static bool HasFinished(string directory)
    {
        bool finished = false;
        string path = Path.Combine(directory, TelemetryFactory.MetricsFileName);
        if (File.Exists(path))
            MetricsFile.Read(path, record => finished = IsEnd(record, finished), mayBeginLate: true);
        return finished;

        static bool IsEnd(JsonElement record, bool before) =>
            record.GetProperty("kind").GetString() switch
            {
                "start" => false,
                "end" => record.GetProperty("finished").GetBoolean(),
                _ => before,
            };
    }
}

/// <summary>A stage of a round has failed, for no fault of the user's.</summary>
public sealed class StageException(string sentence) : Exception(sentence);
