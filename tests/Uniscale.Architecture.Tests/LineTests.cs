namespace Uniscale.Architecture.Tests;

/// <summary>The width of the code: what a reader sees beside another file. .editorconfig names it for editors.</summary>
public sealed class LineTests
{
    private const int Width = 140;

    private const string RawText = "\"\"\"";

    [Fact]
    public void NoLineIsWiderUnlessATextInItIs()
    {
        var wide = Sources().SelectMany(file => Wide(file).Select(line => $"{Path.GetRelativePath(Repository.Root, file)}({line})"));
        Assert.Empty(wide);
    }

    [Fact]
    public void OnlyTextsMayBeWide()
    {
        string file = Path.GetTempFileName();
        string wide = new('x', Width);
        File.WriteAllLines(file, [$"var {wide};", $"// {wide}", $"Say(\"{wide}\");", $"string a = {RawText}", wide, $"    {RawText};", "b" + wide]);
        Assert.Equal([1, 2, 7], Wide(file));
        File.Delete(file);
    }

    private static IEnumerable<string> Sources() =>
        ((string[])["src", "tests", "examples"])
            .SelectMany(folder => Directory.EnumerateFiles(Repository.PathOf(folder), "*.cs", SearchOption.AllDirectories))
            .Where(file => !file.Split(Path.DirectorySeparatorChar).Any(part => part is "bin" or "obj"));

    /// <summary>Lines of code and comments beyond the width, by number; a line with a text, or of a raw text, may be wider.</summary>
    private static List<int> Wide(string file)
    {
        List<int> wide = [];
        bool isRaw = false;
        int number = 0;
        foreach (string line in File.ReadLines(file))
        {
            number++;
            bool turns = line.Split(RawText).Length % 2 == 0;
            if (line.Length > Width && !isRaw && !turns && !line.Contains('"')) wide.Add(number);
            isRaw ^= turns;
        }
        return wide;
    }
}
