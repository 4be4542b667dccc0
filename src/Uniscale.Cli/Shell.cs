using System.CommandLine;
using System.CommandLine.Help;
using System.CommandLine.Parsing;
using Uniscale.Cli.Commands;
using Uniscale.Cli.Doctor;
using Uniscale.Configuration;
using Uniscale.Configuration.Loading;
using Uniscale.Configuration.Schema;
using Uniscale.Kernels.Cpu;
using Uniscale.Launching.Ranks;
using Uniscale.Torch;

namespace Uniscale.Cli;

/// <summary>
/// The command line: all commands, and the one place where failures become words and exit codes. 0: done; 1: something failed;
/// 2: what the user gave is wrong. A new command is a file in Commands/ with a <c>Create</c> method, and one line here.
/// </summary>
public static class Shell
{
    private static readonly Option<bool> Debug = new("--debug")
    {
        Description = "Show where in the code a failure comes from (also UNISCALE_DEBUG=1).",
        Recursive = true,
    };

    /// <summary>Commands that look, read and write, and never compute.</summary>
    private static readonly HashSet<string> WithoutTensors =
    [
        "doctor",
        "config",
        "data",
        "tokenizer",
        "curriculum",
        "program",
        "plan",
        "status",
        "why",
        "checkpoint",
        "dashboard",
    ];

    /// <summary>Options whose values are texts, not paths.</summary>
    private static readonly string[] TextOptions = ["--prompt", "--symbol", "--text", "--set", "--reward-token"];

    /// <summary>Log file of the command that runs on this thread, where it has one; a failure points to it.</summary>
    [field: ThreadStatic]
    public static string? LogFile { get; set; }

    /// <summary>The root command with all others; alone it shows its help.</summary>
    public static RootCommand Create()
    {
        var root = new RootCommand("Uniscale trains large language models: on one machine, and by the same program on thousands of GPUs.")
        {
            Debug,
            // In the order in which a newcomer meets them.
            DoctorCommand.Create(),
            DataCommand.Create(),
            TokenizerCommand.Create(),
            ConfigCommand.Create(),
            CurriculumCommand.Create(),
            ProgramCommand.Create(),
            PlanCommand.Create(),
            VerifyCommand.Create(),
            BenchmarkCommand.Create(),
            TrainCommand.Create(),
            LaunchCommand.Create(),
            RunCommands.Status(),
            RunCommands.Why(),
            DashboardCommand.Create(),
            SweepCommand.Create(),
            FaultsCommand.Create(),
            AlignCommand.Create(),
            EvaluateCommand.Create(),
            NeedleCommand.Create(),
            GenerateCommand.Create(),
            CheckpointCommand.Create(),
            HuggingFaceCommands.Export(),
            HuggingFaceCommands.Import(),
        };
        root.SetAction(parsed => new HelpAction().Invoke(parsed));
        NumberOptions.ReadLikeConfigurations(root);
        return root;
    }

    private static string TopCommand(ParseResult parsed)
    {
        var result = parsed.CommandResult;
        while (result.Parent is CommandResult { Parent: not null } above)
            result = above;
        return result.Command.Name;
    }

    /// <summary>Parses and runs; returns the exit code.</summary>
    public static int Run(IReadOnlyList<string> arguments, TextWriter output, TextWriter error)
    {
        LogFile = null;
        var parsed = Create().Parse(Arguments(arguments));
        try
        {
            if (Misunderstood(parsed) is { } sentence)
                throw new UserErrorException(sentence);
            if (
                parsed.Action is not HelpAction
                && parsed.CommandResult.Command.Name != DoctorCommand.Name
                && ProcessorSupport.Refusal() is { } refusal
            )
                throw new UserErrorException(refusal);
            if (!WithoutTensors.Contains(TopCommand(parsed)) && Libtorch.Load() is { } problem)
                throw new UserErrorException(problem);
            return parsed.Invoke(
                new InvocationConfiguration
                {
                    Output = output,
                    Error = error,
                    EnableDefaultExceptionHandler = false,
                    ProcessTerminationTimeout = null,
                }
            );
        }
        catch (Exception failure)
        {
            return Report(failure, parsed.GetValue(Debug) || Environment.GetEnvironmentVariable("UNISCALE_DEBUG") is "1" or "true", error);
        }
    }

    /// <summary>
    /// The arguments with <c>help COMMAND</c> as what it means, and with paths at the home folder, which a shell leaves alone behind
    /// <c>=</c> and in quotes.
    /// </summary>
    private static string[] Arguments(IReadOnlyList<string> given)
    {
        string[] arguments = given is ["help", ..] ? [.. given.Skip(1), "--help"] : [.. given];
        for (int i = 0; i < arguments.Length; i++)
        {
            if (i > 0 && TextOptions.Contains(arguments[i - 1]))
                continue;
            var (option, value) =
                arguments[i].StartsWith("--", StringComparison.Ordinal) && arguments[i].Split('=', 2) is [var name, var behind]
                    ? (name, behind)
                    : ("", arguments[i]);
            string? home = Environment.GetEnvironmentVariable("HOME");
            if (value.StartsWith("~/", StringComparison.Ordinal) && !TextOptions.Contains(option) && !string.IsNullOrEmpty(home))
                arguments[i] = (option.Length > 0 ? option + "=" : "") + home + value[1..];
        }
        return arguments;
    }

    /// <summary>Prints a failure as one sentence, with its stack only where asked for; returns the exit code.</summary>
    internal static int Report(Exception failure, bool debug, TextWriter error)
    {
        if (failure is AggregateException { InnerException: { } first })
            failure = first;
        if (failure is OperationCanceledException)
        {
            error.WriteLine("uniscale: stopped.");
            return 1;
        }
        if (AddressSpace.Explain(failure) is { } limited)
            failure = new UserErrorException(limited, failure);
        else if (FileFailure.Explain(failure) is { } refused)
            failure = new UserErrorException(refused, failure);
        bool isUsers = failure is UserErrorException;
        if (!isUsers)
            WriteToLog(failure);
        if (ProcessRank.IsReported(failure) && !debug)
            return isUsers ? 2 : 1;
        string sentence = FailureSentence.Of(failure);
        string details =
            isUsers || debug ? ""
            : LogFile is { } log ? $"{Stop(sentence)} The log is {log}."
            : $"{Stop(sentence)} Run it again with --debug to see where.";
        error.WriteLine($"uniscale: {sentence}{details}");
        if (debug)
            error.WriteLine(Secrets.Mask(failure.ToString()));
        return isUsers ? 2 : 1;
    }

    private static string Stop(string sentence) => sentence.EndsWith('.') ? "" : ".";

    /// <summary>The whole failure goes to the log of the command, to which the sentence points.</summary>
    private static void WriteToLog(Exception failure)
    {
        try
        {
            if (LogFile is { } log && File.Exists(log))
                File.AppendAllText(
                    log,
                    $"{DateTime.Now:yyyy-MM-dd HH:mm:ss.fff} ERR {Secrets.Mask(failure.ToString())}{Environment.NewLine}"
                );
        }
        catch (Exception error) when (error is IOException or UnauthorizedAccessException)
        {
            // A full disk may be the very failure; the sentence has been printed.
        }
    }

    /// <summary>What of the command line makes no sense; null: it does.</summary>
    private static string? Misunderstood(ParseResult parsed)
    {
        // The parser takes a misspelt option for an argument wherever one is allowed.
        string? option = parsed
            .CommandResult.Children.OfType<ArgumentResult>()
            .SelectMany(argument => argument.Tokens)
            .Select(token => token.Value)
            .FirstOrDefault(value => value.StartsWith("--", StringComparison.Ordinal));
        // A request for help silences the parser's own errors; what it does not know stays unknown.
        if (parsed.Errors.Count == 0 && option is null && parsed.UnmatchedTokens is [var stray, ..])
            option = stray;
        if (parsed.Errors.Count == 0 && option is null)
            return null;
        string problem =
            option is not null && !option.StartsWith('-') ? $"Unrecognized command or argument '{option}'"
            : option is null ? InWords(parsed.Errors[0].Message.TrimEnd('.'))
            : $"Unrecognized option '{option}'";
        var command = parsed.CommandResult.Command;
        string[] known = command.Subcommands.Select(sub => sub.Name).Concat(command.Options.Select(known => known.Name)).ToArray();
        string? nearest = parsed
            .UnmatchedTokens.Prepend(option ?? "")
            .Select(token => Names.Nearest(token, known))
            .FirstOrDefault(name => name is not null);
        string hint = nearest is null ? "" : $" (did you mean '{nearest}'?)";
        return $"{problem}{hint}; {FullName(parsed.CommandResult)} --help shows what there is.";
    }

    /// <summary>The parser names the type it wanted; a user wants to know what to write.</summary>
    private static string InWords(string problem)
    {
        const string Type = " as expected type '";
        int at = problem.IndexOf(Type, StringComparison.Ordinal);
        if (at < 0)
            return problem;
        string name = problem[(at + Type.Length)..];
        string kind = name.Contains("Boolean", StringComparison.Ordinal) ? "true or false" : "one of the values that its help names";
        return $"{problem[..at].Replace("Cannot parse argument", "The value", StringComparison.Ordinal).Replace("for option", "of", StringComparison.Ordinal)} is not {kind}";
    }

    private static string FullName(CommandResult result) =>
        result.Parent is CommandResult parent ? $"{FullName(parent)} {result.Command.Name}" : "uniscale";
}
