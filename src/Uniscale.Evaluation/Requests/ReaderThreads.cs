using Uniscale.Configuration;

namespace Uniscale.Evaluation.Requests;

/// <summary>Threads that each read with a model of their own.</summary>
internal static class ReaderThreads
{
    /// <summary>Runs a part on each thread, and waits for all.</summary>
    /// <param name="count">Threads.</param>
    /// <param name="part">What a thread does, given its number.</param>
    /// <exception cref="UserErrorException">A part refused its input; other failures come as
    /// <see cref="InvalidOperationException"/>.</exception>
    public static void Run(int count, Action<int> part)
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
