using System.CommandLine;
using Uniscale.Configuration;
using Uniscale.Programs;
using Uniscale.Training.Runs;

namespace Uniscale.Cli;

/// <summary>The argument and option of every command that reads a configuration: <c>CONFIG.yaml [--set key=value …]</c>.</summary>
internal sealed class ConfigurationInput
{
    private readonly Argument<string> _file = new("CONFIG") { Description = "Configuration file (YAML)." };

    private readonly Option<string[]> _set = new("--set")
    {
        Description = "Override a value: --set model.layers=12 --set data.sources[0].weight=2 (may be given again).",
        HelpName = "key=value",
        DefaultValueFactory = _ => [],
    };

    /// <summary>Adds both to a command; <paramref name="required"/>: the file must be given.</summary>
    public ConfigurationInput(Command command, bool required = true)
    {
        _file.Arity = required ? ArgumentArity.ExactlyOne : ArgumentArity.ZeroOrOne;
        command.Add(_file);
        command.Add(_set);
    }

    /// <summary>The given path, or null.</summary>
    public string? File(ParseResult parsed) => parsed.GetValue(_file);

    /// <summary>The overrides as given.</summary>
    public IReadOnlyList<string> Overrides(ParseResult parsed) => parsed.GetValue(_set) ?? [];

    /// <summary>Loads and checks the configuration, its layout included.</summary>
    /// <param name="parsed">The command line.</param>
    /// <param name="more">Overrides besides those that were given.</param>
    public ResolvedConfiguration Load(ParseResult parsed, IReadOnlyList<string>? more = null)
    {
        string path =
            File(parsed)
            ?? throw new UserErrorException(
                $"{parsed.CommandResult.Command.Name} needs a configuration file, for example configs/quickstart.yaml."
            );
        var resolved = ConfigurationLoader.Load(path, [.. Overrides(parsed), .. more ?? []], RunFolder.OfConfiguration(path));
        LayoutGate.Check(resolved);
        return resolved;
    }
}

/// <summary>A file that a command will write at its end.</summary>
internal static class OutputFile
{
    /// <summary>Refuses a path that cannot be written, before the work whose result it is to hold.</summary>
    public static void Check(string path, string option)
    {
        string? folder = Path.GetDirectoryName(Path.GetFullPath(path));
        if (Directory.Exists(path))
            throw new UserErrorException($"{option} {path} is a folder: name a file in it.");
        if (!Directory.Exists(folder))
            throw new UserErrorException($"{option} {path}: there is no folder {folder}; make it first.");
    }
}

/// <summary>Options that several commands share, so that they are spelt and explained alike.</summary>
internal static class CommonOptions
{
    /// <summary><c>--json</c>: print for programs, not for people.</summary>
    public static Option<bool> Json() => new("--json") { Description = "Print JSON." };

    /// <summary><c>--precision</c>: in which a model that is read computes.</summary>
    public static Option<PrecisionKind> ReadingPrecision() =>
        new("--precision")
        {
            Description = "fp32, or bf16: half the memory, and faster where the processor multiplies it.",
            DefaultValueFactory = _ => PrecisionKind.Fp32,
        };
}
