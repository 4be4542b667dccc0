namespace Uniscale.Collectives.Tests;

/// <summary>Runs a body on every rank of a world and collects what each rank threw.</summary>
internal static class RankThreads
{
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(60);

    /// <param name="worlds">One for each rank.</param>
    /// <param name="body">The rank.</param>
    /// <param name="used">Worlds whose journals tell where a rank hangs; null: those given.</param>
    public static Exception?[] Run(IWorld[] worlds, Action<IWorld> body, Func<IEnumerable<IWorld>>? used = null)
    {
        var thrown = new Exception?[worlds.Length];
        var threads = worlds
            .Select(
                (world, rank) =>
                    new Thread(() =>
                    {
                        try
                        {
                            body(world);
                        }
                        catch (Exception exception)
                        {
                            thrown[rank] = exception;
                        }
                    })
                    {
                        IsBackground = true,
                    }
            )
            .ToList();
        threads.ForEach(thread => thread.Start());
        Assert.True(
            threads.TrueForAll(thread => thread.Join(Patience)),
            "a rank hangs: "
                + string.Join(
                    "; ",
                    (used?.Invoke() ?? worlds).SelectMany(world => world.Journal.Pending().Select(entry => $"rank {world.Rank}: {entry}"))
                )
        );
        return thrown;
    }

    public static void RunAll(IWorld[] worlds, Action<IWorld> body)
    {
        foreach (var exception in Run(worlds, body))
            Assert.Null(exception);
    }
}
