namespace Uniscale.Cli.Tests;

/// <summary>A folder that goes with the test.</summary>
internal sealed class TemporaryFolder : IDisposable
{
    private readonly string _root = Directory.CreateTempSubdirectory("uniscale-cli-").FullName;

    public void Dispose() => Directory.Delete(_root, recursive: true);

    /// <summary>A path in the folder.</summary>
    public string In(string path) => Path.Combine(_root, path);
}
