using Uniscale.Configuration;
using Uniscale.Evaluation.Inference;

namespace Uniscale.Evaluation.Requests;

/// <summary>Threads that each read with a model of their own.</summary>
/// <param name="models">The same weights for each thread; owned.</param>
public sealed class ReaderThreads(IReadOnlyList<InferenceModel> models) : IReaders
{
    /// <summary>Threads that read trained weights.</summary>
    /// <param name="model">The weights; not owned.</param>
    /// <param name="count">Threads.</param>
    /// <param name="positions">See <see cref="TrainedModel.Reader"/>.</param>
    public static ReaderThreads Of(TrainedModel model, int count, ModelSection? positions = null) =>
        new([.. Enumerable.Range(0, count).Select(_ => model.Reader(positions))]);

    /// <inheritdoc/>
    public int Context => models[0].Context;

    /// <inheritdoc/>
    public void Share<T>(IReadOnlyList<T> work, Action<InferenceModel, IReadOnlyList<T>> read)
    {
        Run(
            models.Count,
            thread =>
            {
                int first = (int)((long)work.Count * thread / models.Count),
                    end = (int)((long)work.Count * (thread + 1) / models.Count);
                if (end > first)
                    read(models[thread], [.. work.Skip(first).Take(end - first)]);
            }
        );
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        foreach (var model in models)
            model.Dispose();
    }

    /// <summary>Runs a part on each thread, and waits for all.</summary>
    /// <exception cref="UserErrorException">A part refused its input; other failures come as
    /// <see cref="InvalidOperationException"/>.</exception>
    private static void Run(int count, Action<int> part)
    {
        if (count == 1)
        {
            part(0);
            return;
        }
        Exception? failure = null;
        var threads = Enumerable
            .Range(0, count)
            .Select(i => new Thread(() =>
            {
                try
                {
                    part(i);
                }
                catch (Exception thrown)
                {
                    Interlocked.CompareExchange(ref failure, thrown, null);
                }
            }))
            .ToList();
        threads.ForEach(thread => thread.Start());
        threads.ForEach(thread => thread.Join());
        if (failure is UserErrorException)
            throw new UserErrorException(failure.Message, failure);
        if (failure is not null)
            throw new InvalidOperationException($"A rank failed: {failure.Message}", failure);
    }
}
