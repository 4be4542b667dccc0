namespace Uniscale.Collectives.RankProgram;

/// <summary>What a rank tells the test that started it: one line a check, in a file of the rank's own.</summary>
internal sealed class Report(string folder, int rank) : IDisposable
{
    private readonly StreamWriter _file = new(Path.Combine(folder, $"rank-{rank}.txt")) { AutoFlush = true };

    /// <summary>Runs a check and writes down how it ended.</summary>
    public void Check(string name, Action check)
    {
        try
        {
            check();
            _file.WriteLine($"{name}\tpassed");
        }
        catch (Exception exception)
        {
            _file.WriteLine($"{name}\t{exception.GetType().Name}: {exception.Message.ReplaceLineEndings(" ")}");
        }
    }

    /// <summary>Writes down a fact.</summary>
    public void Say(string name, string value) => _file.WriteLine($"{name}\t{value}");

    public void Dispose() => _file.Dispose();
}
