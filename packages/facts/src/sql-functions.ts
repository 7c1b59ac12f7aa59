import type { SqlDialect } from '@interlock/contracts';

/** Functions that read nothing but their arguments and the clock, and change nothing. */
const EVERYWHERE = `abs avg ceil ceiling coalesce concat count cume_dist current_date current_time current_timestamp
  dense_rank exp first_value floor greatest group_concat iif ifnull instr json_array json_array_length json_extract
  json_group_array json_group_object json_object json_type json_valid lag last_value lead least length ln log log10 log2
  lower lpad ltrim max min mod now nth_value ntile nullif percent_rank pi pow power rank replace round row_number rpad
  rtrim sign sqrt substr substring sum trim trunc truncate upper`;

const POSTGRESQL = `age array_agg array_append array_cat array_length array_lower array_ndims array_position
  array_positions array_prepend array_remove array_replace array_to_json array_to_string array_upper ascii bit_and
  bit_length bit_or bool_and bool_or btrim cardinality cbrt char_length character_length chr clock_timestamp concat_ws
  convert_from convert_to corr covar_pop covar_samp date_bin date_part date_trunc decode degrees div encode every
  extract factorial format gcd gen_random_uuid generate_series generate_subscripts grouping initcap is_normalized
  isfinite json_agg json_array_elements json_array_elements_text json_build_array json_build_object json_each
  json_each_text json_extract_path json_extract_path_text json_object_agg json_object_keys json_strip_nulls json_to_record
  json_to_recordset json_typeof jsonb_agg jsonb_array_elements jsonb_array_elements_text jsonb_array_length
  jsonb_build_array jsonb_build_object jsonb_each jsonb_each_text jsonb_extract_path jsonb_extract_path_text
  jsonb_object jsonb_object_agg jsonb_object_keys jsonb_path_exists jsonb_path_match jsonb_path_query
  jsonb_path_query_array jsonb_path_query_first jsonb_pretty jsonb_set jsonb_strip_nulls jsonb_typeof justify_days
  justify_hours justify_interval lcm left like_escape localtime localtimestamp make_date make_interval make_time
  make_timestamp make_timestamptz md5 mode normalize num_nonnulls num_nulls numnode octet_length overlay
  parse_ident percentile_cont percentile_disc phraseto_tsquery plainto_tsquery position quote_ident quote_literal
  quote_nullable radians random range_agg regexp_count regexp_instr regexp_like regexp_match regexp_matches
  regexp_replace regexp_split_to_array regexp_split_to_table regexp_substr regr_avgx regr_avgy regr_count
  regr_intercept regr_r2 regr_slope repeat reverse right row_to_json scale setweight sha224 sha256 sha384 sha512
  split_part starts_with statement_timestamp stddev stddev_pop stddev_samp string_agg string_to_array string_to_table
  strip strpos timeofday timezone to_ascii to_char to_date to_hex to_json to_jsonb to_number to_timestamp to_tsquery
  to_tsvector transaction_timestamp translate trim_array ts_headline ts_rank ts_rank_cd unnest upper_inf var_pop var_samp
  variance websearch_to_tsquery width_bucket xmlagg`;

const MYSQL = `adddate addtime any_value ascii bin bit_and bit_count bit_length bit_or bit_xor cast char char_length
  character_length charset coercibility collation concat_ws connection_id conv convert convert_tz cot crc32 curdate current_user curtime database date date_add
  date_format date_sub datediff day dayname dayofmonth dayofweek dayofyear degrees elt export_set extract field
  find_in_set format from_base64 from_days from_unixtime get_format hex hour if inet_aton inet_ntoa insert
  is_uuid isnull json_arrayagg json_contains json_contains_path json_depth json_keys json_length json_objectagg
  json_overlaps json_pretty json_quote json_search json_unquote json_value last_day lcase left locate make_set
  makedate maketime md5 microsecond mid minute month monthname oct octet_length ord period_add period_diff position
  quarter quote radians rand regexp_instr regexp_like regexp_replace regexp_substr repeat reverse right sec_to_time
  schema second session_user sha sha1 sha2 soundex space std stddev stddev_pop stddev_samp str_to_date strcmp subdate substring_index
  subtime sysdate tan time time_format time_to_sec timediff timestamp timestampadd timestampdiff to_base64 to_days
  to_seconds ucase unhex unix_timestamp utc_date utc_time utc_timestamp user uuid uuid_short version var_pop var_samp variance
  week weekday weekofyear year yearweek`;

const SQLITE = `char date datetime format glob hex json json_each json_patch json_quote json_remove json_set json_tree
  julianday like likelihood likely printf quote random randomblob soundex strftime time timediff total typeof unicode
  unixepoch unlikely zeroblob`;

const words = (text: string): string[] => text.split(/\s+/);
const base = words(EVERYWHERE);
const harmless: Record<SqlDialect, ReadonlySet<string>> = {
  postgresql: new Set([...base, ...words(POSTGRESQL)]),
  mysql: new Set([...base, ...words(MYSQL)]),
  sqlite: new Set([...base, ...words(SQLITE)]),
};

/** True when a function, by its name in lower case and without a schema, is known to change nothing. */
export function isHarmlessFunction(dialect: SqlDialect, name: string): boolean {
  return harmless[dialect].has(name);
}
