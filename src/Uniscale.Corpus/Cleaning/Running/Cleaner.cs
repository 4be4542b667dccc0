using Uniscale.Configuration;
using Uniscale.Data;

namespace Uniscale.Corpus.Cleaning;

/// <summary>A shard that went through a stage.</summary>
/// <param name="Stage">From 1.</param>
/// <param name="Stages">How many there are.</param>
/// <param name="Shard">The file of documents.</param>
/// <param name="IsTakenOver">It was done by an earlier run that stopped.</param>
public sealed record CleaningProgress(int Stage, int Stages, string Shard, bool IsTakenOver);

/// <summary>
/// Cleans stores by a pipeline. Workers take shards; each stage streams a document at a time, so memory is that of the longest document of
/// each worker, of the
/// models and lists of the pipeline, and of the decisions on duplicates (see <see cref="NearDuplicateSearch"/>,
/// <see cref="FirstOccurrences"/>). What is written is the
/// same for any number of workers and however often the cleaning was stopped. Disk: the kept text once more while it runs.
/// </summary>
public sealed class Cleaner
{
    private readonly CleaningPipeline _pipeline;
    private readonly int _workers;
    private readonly Action<CleaningProgress>? _progress;

    /// <param name="pipeline">What to do.</param>
    /// <param name="workers">Threads.</param>
    /// <param name="progress">Told of each shard, one at a time.</param>
    public Cleaner(CleaningPipeline pipeline, int workers, Action<CleaningProgress>? progress = null)
    {
        WorkerCount.Check(workers);
        (_pipeline, _workers, _progress) = (pipeline, workers, progress);
    }

    /// <summary>Cleans, or goes on with a cleaning that was stopped; writes the store and its reports.</summary>
    /// <exception cref="UserErrorException">An input is missing or broken, or the output belongs to something else.</exception>
    /// <exception cref="OperationCanceledException">Stopped; what is done stays done.</exception>
    public CleaningReport Run(CancellationToken cancellation = default)
    {
        var shards = CleaningShard.Of(_pipeline);
        var stages = Stage.Of(_pipeline.Rules.Select(Step.Of));
        using var folder = new WorkFolder(_pipeline, shards);
        using var tokenizer = _pipeline.Tokenizer is { } model ? Tokenizer.Load(model) : null;
        var run = new StageRun(_pipeline, folder, tokenizer, stages);
        var clock = new ProcessorClock(folder);
        for (int stage = 0; stage < stages.Count; stage++)
        {
            folder.Begin(stage);
            RunShards(run, stage, stages.Count, shards, folder, clock, cancellation);
            if (stages[stage].Observed is { } observed && !folder.IsDecided(stage))
            {
                CleaningShard[] observedShards = [.. shards.Where(shard => observed.AppliesTo(shard.Domain))];
                observed.WithOthers!.Decide(
                    [.. observedShards.Select(shard => folder.Observations(stage, shard))],
                    [.. observedShards.Select(shard => folder.Decisions(stage, shard))],
                    cancellation
                );
                folder.Decided(stage);
                clock.Save();
            }
            if (stage > 0)
                folder.Forget(stage - 1, shards);
        }
        folder.Publish(stages.Count - 1, shards);
        var report = CleaningReport.Of(_pipeline, shards, stages.Count, folder);
        report.Write(_pipeline.Output);
        return report;
    }

    private void RunShards(
        StageRun run,
        int stage,
        int stages,
        IReadOnlyList<CleaningShard> shards,
        WorkFolder folder,
        ProcessorClock clock,
        CancellationToken cancellation
    )
    {
        var reporting = new Lock();
        void Report(CleaningShard shard, bool isTakenOver)
        {
            lock (reporting)
            {
                clock.Save();
                _progress?.Invoke(new CleaningProgress(stage + 1, stages, shard.Input, isTakenOver));
            }
        }

        var todo = new List<CleaningShard>();
        foreach (var shard in shards)
        {
            if (folder.IsDone(stage, shard))
                Report(shard, isTakenOver: true);
            else
                todo.Add(shard);
        }
        // The longest first, so that none is left to one worker at the end.
        var partitions = System.Collections.Concurrent.Partitioner.Create(
            todo.OrderByDescending(shard => new FileInfo(shard.Input).Length).ThenBy(shard => shard.Number),
            System.Collections.Concurrent.EnumerablePartitionerOptions.NoBuffering
        );
        try
        {
            Parallel.ForEach(
                partitions,
                new ParallelOptions { MaxDegreeOfParallelism = _workers, CancellationToken = cancellation },
                shard =>
                {
                    run.Run(stage, shard, cancellation);
                    Report(shard, isTakenOver: false);
                }
            );
        }
        catch (AggregateException error) when (error.Flatten().InnerExceptions.OfType<UserErrorException>().FirstOrDefault() is { } mistake)
        {
            throw new UserErrorException(mistake.Message, error);
        }
    }

    /// <summary>Adds up the processor time of all runs.</summary>
    private sealed class ProcessorClock(WorkFolder folder)
    {
        private readonly TimeSpan _earlier = folder.ProcessorTime - Environment.CpuUsage.TotalTime;

        public void Save() => folder.ProcessorTime = _earlier + Environment.CpuUsage.TotalTime;
    }
}
