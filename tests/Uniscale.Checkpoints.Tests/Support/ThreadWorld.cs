using Uniscale.Collectives;
using Uniscale.Collectives.InProcess;

namespace Uniscale.Checkpoints.Tests.Support;

/// <summary>Ranks as threads.</summary>
internal static class ThreadWorld
{
    [ThreadStatic]
    private static int _size;

    /// <summary>Ranks of the world that the calling thread is one of; 1 outside of any.</summary>
    public static int Size => Math.Max(1, _size);

    /// <summary>Runs a function on every rank and returns what each gave; the first failure is thrown.</summary>
    public static T[] Run<T>(int size, Func<IWorld, T> body)
    {
        var tasks = InProcessWorld
            .Create(size)
            .Select(world =>
                Task.Factory.StartNew(
                    () =>
                    {
                        _size = size;
                        using (world)
                            return body(world);
                    },
                    TaskCreationOptions.LongRunning
                )
            )
            .ToArray();
        if (!Task.WhenAll(tasks).ContinueWith(_ => { }, TaskScheduler.Default).Wait(TimeSpan.FromSeconds(60 + size / 10)))
            throw new TimeoutException("the ranks did not end");
        return [.. tasks.Select(task => task.GetAwaiter().GetResult())];
    }
}
