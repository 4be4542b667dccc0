namespace Uniscale.Dashboard.Tests;

/// <summary>A folder that is gone after the test.</summary>
internal sealed class TemporaryFolder : IDisposable
{
    public string FullPath { get; } = Directory.CreateTempSubdirectory("uniscale-dashboard-").FullName;

    /// <summary>A path in the folder.</summary>
    public string In(string path) => Path.Combine(FullPath, path);

    /// <summary>Writes a file, and the folders above it.</summary>
    public string Write(string path, string text)
    {
        Directory.CreateDirectory(Path.GetDirectoryName(In(path))!);
        File.WriteAllText(In(path), text);
        return In(path);
    }

    public void Dispose() => Directory.Delete(FullPath, recursive: true);
}
